"""A commit on its way to one or more services, as somebody deployed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.domain.services import Service


@dataclass(frozen=True)
class Rollout:
    """One that is open. `deployments`: `{service: deployment id}`, the newest of each service.

    commit_sha: None when Railway does not say. settled_at: when nothing of it was on its way any more.
    """

    id: int
    commit_sha: str | None
    opened_at: datetime
    settled_at: datetime | None
    deployments: Mapping[Service, str]

    @property
    def message_key(self) -> str:
        """The outbox key of its one message."""
        return f"rollout:{self.id}"
