"""The words of a change become parameters, or an error that names the wrong word."""

from __future__ import annotations

import pytest

from bot.changes import Change
from bot.commands.registry import REGISTRY, find
from services.domain.errors import UsageError


@pytest.mark.parametrize(
    ("line", "parameters"),
    [
        ("scale ingest 2", {"service": "ingest", "to": "2"}),
        ("scale dragonfly-worker-ingest 02", {"service": "ingest", "to": "2"}),
        ("rollback api", {"service": "api"}),
        ("rollback ALL to 8D02B64E", {"service": "all", "to": "8d02b64e"}),
        ("rollback workers 8d02b64e", {"service": "workers", "to": "8d02b64e"}),
        (
            "rollback api to 123e4567-e89b-12d3-a456-426614174000",
            {"service": "api", "to": "123e4567-e89b-12d3-a456-426614174000"},
        ),
        ("deploy all 8d02b64e", {"service": "all", "sha": "8d02b64e"}),
        ("rollback-db 20251201000900", {"version": "20251201000900"}),
        ("rollback-db --with-api 20251201000900", {"version": "20251201000900", "with_api": "yes"}),
        ("restart ingest", {"service": "ingest"}),
        ("restart --through-zero ingest", {"service": "ingest", "through_zero": "yes"}),
        ("redeploy api", {"service": "api"}),
        ("requeue G-1a2b3c4d", {"what": "g-1a2b3c4d"}),
        ("unlock api repaired by 9f8e7d6c", {"service": "api", "reason": "repaired by 9f8e7d6c"}),
        ("stop-workers ingest doubled rows", {"service": "ingest", "reason": "doubled rows"}),
        ("stop-workers enforcement", {"service": "enforcement"}),
        ("stop-workers", {"service": "workers"}),
        ("golden-path", {}),
        ("Golden path --keep", {"keep": "yes"}),
        ("golden_path --clean", {"clean": "yes"}),
        ("stop workers wrong amounts", {"service": "workers", "reason": "wrong amounts"}),
    ],
)
def test_words_become_parameters(line: str, parameters: dict[str, str]) -> None:
    change, words = find(line.split())

    assert isinstance(change, Change)
    assert change.parse(words) == parameters


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("scale ingest -1", "-1"),
        ("scale ingest 51", "51"),
        ("scale ingest 99999999999999999999", "9999"),
        ("scale inges 2", "inges"),
        ("scale ingest 2 now", "now"),
        ("rollback api to main", "main"),
        ("rollback api to 8d02b6", "8d02b6"),
        ("deploy api HEAD", "HEAD"),
        ("rollback-db 2025", "2025"),
        ("stop-workers api it is wrong", "api"),
        ("golden-path now", "now"),
        ("golden-path --keep --clean", "can't be combined"),
    ],
)
def test_an_error_names_the_word_that_is_wrong(line: str, wrong: str) -> None:
    change, words = find(line.split())

    assert isinstance(change, Change)
    with pytest.raises(UsageError) as raised:
        change.parse(words)
    assert wrong in raised.value.why


def test_hostile_words_come_back_harmless() -> None:
    change = REGISTRY["scale"]

    assert isinstance(change, Change)
    with pytest.raises(UsageError, match="&lt;!channel&gt;"):
        change.parse(("<!channel>", "2"))
