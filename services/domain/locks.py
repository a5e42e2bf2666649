"""The lock that a service carries after a rollback, until `unlock`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.services import Service


@dataclass(frozen=True)
class Lock:
    """Deploys of `service` are refused while it is there; undo and further rollbacks pass.

    `owner` is who asked for the rollback: a Slack user id, or "terminal". `reason` is plain text, shown to whoever is
    refused. `run_id` is the rollback's run, None when it is not known. `owner_name`: what people call the owner.
    """

    service: Service
    owner: str
    reason: str
    locked_at: datetime
    run_id: int | None = None
    owner_name: str = ""

    @property
    def by(self) -> str:
        """The owner in words, for sentences."""
        return self.owner_name or self.owner
