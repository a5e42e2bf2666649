"""The parts of Railway's webhook that the bot reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.railway.webhook import may_concern

OURS = "e1"


def body(event: Any) -> bytes:
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "Deployment.failed", "details": {"status": "SUCCESS"}, "resource": {"environment": {"id": OURS}}},
        {"type": "DEPLOY", "environment": {"id": OURS, "name": "production"}, "deployment": {"id": "d1"}},
        {"type": "Volume.full", "resource": {"environment": {}}},
        {"resource": None},
        [],
        "text",
    ],
)
def test_railway_event_of_either_form_or_an_unclear_one_is_a_refresh_notice(event: Any) -> None:
    assert may_concern(body(event), OURS)


@pytest.mark.parametrize("event", [{"resource": {"environment": {"id": "e2"}}}, {"environment": {"id": "e2"}}])
def test_event_of_another_environment_is_none(event: Any) -> None:
    assert not may_concern(body(event), OURS)
    assert may_concern(body(event), None), "nobody said which is ours"


@given(st.binary(max_size=300))
def test_railway_event_of_any_bytes_does_not_raise(sent: bytes) -> None:
    assert isinstance(may_concern(sent, OURS), bool)


def test_deep_nesting_is_no_reason_to_fall() -> None:
    assert may_concern(b"[" * 60_000, OURS)
