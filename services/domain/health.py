"""What the API and the bot report about themselves (runbook, "API Health Check")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True)
class BotState:
    """`connected`: whether Slack's events reach this replica; `leader`: whether it sends the alerts. None: unknown.

    `channel_problem`: why the incidents channel takes no messages; None while it does, or while that is not known.
    """

    git_sha: str | None
    started_at: datetime
    connected: bool | None = None
    leader: bool | None = None
    channel_problem: str | None = None


class Endpoint(NamedTuple):
    """One operation of the API, as its OpenAPI document has it: `GET`, `/api/v1/intake/batches/{batch_id}`."""

    method: str
    path: str


@dataclass(frozen=True)
class ApiHealth:
    """`/api/health`, as answered. `http_status` 503 with this body is an answer too: the API lives, its database not.

    Of another version more or less is there: what is None was not said. `elapsed_ms` is the whole request's time as the
    caller saw it. `db_writable` is False when the database answers and refuses what is written.
    """

    http_status: int
    status: str
    environment: str | None
    git_sha: str | None
    db_connected: bool | None
    timestamp: datetime | None
    elapsed_ms: float
    db_writable: bool | None = None

    @property
    def is_ok(self) -> bool:
        return self.http_status == 200 and self.status == "ok" and self.db_connected is not False


@dataclass(frozen=True)
class AnsweredWell:
    """That the API answered well from `since` to `until`, as one process saw it. `git_sha`: its commit, None where it
    names none. `spans`: how often this commit began to answer well; a process that dies again and again does so often.
    """

    git_sha: str | None
    since: datetime
    until: datetime
    spans: int = 1

    def go_on(self, git_sha: str | None, at: datetime, *, is_new: bool) -> AnsweredWell:
        """With one more good answer; `is_new`: after a bad one."""
        if git_sha != self.git_sha:
            return AnsweredWell(git_sha, at, at)
        return AnsweredWell(git_sha, at, at, self.spans + 1) if is_new else replace(self, until=at)


@dataclass(frozen=True)
class IntakeHealth:
    """`/api/v1/intake/health`, as answered: can the intake be reached and its tables be read and written. What is None
    was not said."""

    http_status: int
    status: str
    db_connected: bool | None
    pending_jobs: int | None
    last_batch_at: datetime | None
    elapsed_ms: float

    @property
    def is_ok(self) -> bool:
        return self.http_status == 200 and self.status == "ok" and self.db_connected is not False
