"""The door's answer to a failed command: nothing was changed, or the outcome is unknown."""

from __future__ import annotations

import pytest

from bot.machines.door import failed
from services.domain.errors import OperatorError, OutcomeUnknownError, SourceError, UsageError


@pytest.mark.parametrize(
    ("error", "status", "is_unknown"),
    [
        (UsageError("Nothing was run", why="why", what_next="next"), 400, False),
        (OperatorError("Nothing was changed", why="why", what_next="next"), 409, False),
        (OutcomeUnknownError("It may be filed", why="why", what_next="next"), 503, True),
        (SourceError("database", "away", retryable=True), 503, False),
        (SourceError("database", "connection lost, while saving", outcome_unknown=True), 503, True),
    ],
)
def test_door_says_whether_the_outcome_is_unknown_or_nothing_changed(
    error: OperatorError | SourceError, status: int, is_unknown: bool
) -> None:
    reply = failed(error)

    assert (reply.status, reply.body["outcome_unknown"], reply.body["run"]) == (status, is_unknown, None)
    assert not is_unknown or reply.body["status"] == "unknown"
