"""What the API and the bot report about themselves (runbook, "API Health Check")."""

from __future__ import annotations

from dataclasses import dataclass
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
