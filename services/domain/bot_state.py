"""What the bot knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
