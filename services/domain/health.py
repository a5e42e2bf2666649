"""The health that the API and the bot report about themselves (runbook, "API Health Check")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True)
class BotState:
    """The bot's report of itself. `connected`: True if Slack's events reach this replica; `leader`: True if it sends
    the alerts; None if unknown. `channel_problem`: why the incidents channel takes no messages; None if it does, or if
    that is not known."""

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
    """The answer of `/api/health`. `http_status` 503 with this body is an answer too: the API runs, its database
    doesn't.

    Another version may report more or less: None means not reported. `elapsed_ms` is the whole request's time as the
    caller measured it. `db_writable` is False if the database answers reads and refuses writes.
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
    """The span from `since` to `until` in which the API answered ok, as one process saw it. `git_sha`: its commit, None
    if not reported. `spans`: how many such spans this commit had; a process that crashes repeatedly has many."""

    git_sha: str | None
    since: datetime
    until: datetime
    spans: int = 1

    def go_on(self, git_sha: str | None, at: datetime, *, is_new: bool) -> AnsweredWell:
        """The span extended by one more ok answer; `is_new`: the answer before it was not ok."""
        if git_sha != self.git_sha:
            return AnsweredWell(git_sha, at, at)
        return AnsweredWell(git_sha, at, at, self.spans + 1) if is_new else replace(self, until=at)


@dataclass(frozen=True)
class IntakeHealth:
    """The answer of `/api/v1/intake/health`: is the intake reachable, and are its tables readable and writable. None
    means not reported."""

    http_status: int
    status: str
    db_connected: bool | None
    pending_jobs: int | None
    last_batch_at: datetime | None
    elapsed_ms: float

    @property
    def is_ok(self) -> bool:
        return self.http_status == 200 and self.status == "ok" and self.db_connected is not False
