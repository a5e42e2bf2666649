"""Redaction of our own secrets: by value, in every form in which they may be written."""

from __future__ import annotations

import base64
import time
from statistics import median
from urllib.parse import quote, quote_plus

import pytest

from services.domain import secrets
from services.domain.secrets import Secret, redacted, remember_secrets, without_own_secrets

PASSWORD = "sword/fish+é"
DSN = f"postgresql://bot:{quote(PASSWORD, safe='')}@db.example:5432/postgres"
HOOK = "https://hc.example/ping/0123456789abcdef"


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_remembered", {})
    monkeypatch.setattr(secrets, "_forms", ())
    remember_secrets("test", [Secret("swordfish"), Secret(DSN), Secret(HOOK)])


@pytest.mark.parametrize(
    "text",
    [
        "the word is swordfish here",
        "sword\u200bfish",
        "sword\n  fish",
        "s w o r d f i s h",
        DSN,
        DSN.replace("%2F", "%2f"),
        quote(DSN, safe=""),
        PASSWORD,
        quote_plus(PASSWORD),
        HOOK,
        "id 0123456789abcdef of the monitor",
        base64.b64encode(b"swordfish").decode(),
        base64.b64encode(b"u:swordfish").decode(),
        base64.b64encode(b"us:swordfish!").decode(),
        base64.urlsafe_b64encode(b"use:swordfish!!").decode(),
    ],
)
def test_each_form_of_a_secret_is_removed(text: str) -> None:
    shown = without_own_secrets(f"before {text} after")

    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "…" in shown
    assert not [part for part in ("sword", "fish", "0123456789", "d29yZGZpc2") if part in shown.replace("\n", "")]


def test_everything_in_a_value_is_looked_at_and_keys_stay() -> None:
    value = {"swordfish": ["swordfish", {"n": 1, "deep": ("a swordfish", None)}]}

    assert redacted(value) == {"swordfish": ["…", {"n": 1, "deep": ["a …", None]}]}


def test_a_value_without_secrets_is_given_back_as_it_is() -> None:
    value = {"text": "nothing"}

    assert redacted(value) is value
    assert without_own_secrets("nothing") == "nothing"


def test_short_values_and_our_own_words_are_not_looked_for() -> None:
    remember_secrets("test", [Secret("dev"), Secret("postgres")])

    assert without_own_secrets("postgres in dev") == "postgres in dev"


def test_registering_secrets_replaces_those_of_the_same_owner() -> None:
    remember_secrets("test", [Secret("marlinmarlin")])

    assert without_own_secrets("swordfish marlinmarlin") == "swordfish …"


@pytest.mark.parametrize("piece", ["swordfish ", "s", "swordfis ", "\u200b", " "])
@pytest.mark.timeout(60)
def test_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    def took(size: int) -> float:
        text, times = piece * (size // len(piece)), []
        for _ in range(3):
            started = time.process_time()
            without_own_secrets(text)
            times.append(time.process_time() - started)
        return median(times)

    assert took(80_000) < 24 * max(took(10_000), 0.001)
