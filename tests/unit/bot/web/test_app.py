"""Requests over HTTP that may pass to Bolt."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

import pytest

from bot.web.app import MAX_BODY, check
from services.domain.secrets import Secret

NOW = 1_800_000_000
SECRETS = (Secret("old"), Secret("new"))
JSON = {"content-type": "application/json"}


def sign(body: bytes, *, key: str = "new", timestamp: str = str(NOW)) -> dict[str, str]:
    digest = hmac.new(key.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={digest}", **JSON}


def status(headers: dict[str, str], body: bytes, *, now: float = NOW) -> int:
    refusal = check(headers, body, secrets=SECRETS, now=now)
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize("secret", ["old", "new"])
def test_both_secrets_of_a_rotation_pass(secret: str) -> None:
    assert status(sign(b"{}", key=secret), b"{}") == 200


@pytest.mark.parametrize(("age_s", "expected"), [(0, 200), (299, 200), (300, 200), (301, 401), (-301, 401)])
def test_old_and_future_requests_are_refused(age_s: int, expected: int) -> None:
    assert status(sign(b"{}"), b"{}", now=NOW + age_s) == expected


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1.8e9", "²", "٣", "9" * 400, "1800000000\n"])
def test_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    assert status(sign(b"{}", timestamp=timestamp), b"{}") == 401


@pytest.mark.parametrize("signature", ["", "v0=", "v1=00", "v0=" + "0" * 64, "ü"])
def test_signature_that_does_not_fit_is_refused(signature: str) -> None:
    assert status({**sign(b"{}"), "x-slack-signature": signature}, b"{}") == 401


def test_changed_body_is_refused() -> None:
    assert status(sign(b'{"a":1}'), b'{"a":2}') == 401


def test_signature_comes_before_the_body() -> None:
    assert status({**sign(b"{"), "x-slack-signature": "v0=0"}, b"{") == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b"{" * 5000, b"[" * 100_000])
def test_malformed_json_is_a_bad_request(body: bytes) -> None:
    assert status(sign(body), body) == 400


@pytest.mark.parametrize("payload", ["{", "[]", ""])
def test_form_with_a_malformed_payload_is_a_bad_request(payload: str) -> None:
    body = urlencode({"payload": payload}).encode()

    assert status({**sign(body), "content-type": "application/x-www-form-urlencoded"}, body) == 400


def test_form_of_a_command_passes() -> None:
    body = urlencode({"command": "/dragonfly", "text": "payload health"}).encode()

    assert status({**sign(body), "content-type": "application/x-www-form-urlencoded"}, body) == 200


def test_large_body_is_refused_before_anything_else() -> None:
    body = b" " * (MAX_BODY + 1)

    assert status({}, body) == 413
