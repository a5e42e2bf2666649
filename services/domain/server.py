"""What the database server says of itself and of the role that asks (runbook, "Variable Validation")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ServerFacts:
    """`schemas` are those of the runbook that this role may use. `hidden_tables`: those that it reads and
    of which row-level security may hide rows from it.

    `pooler_mode` is `session`, `transaction` or `direct`; "unknown" when the address does not tell. `refuses_writes`:
    why the database takes no writes of ours; None when it does, or when nobody tried.
    """

    current_user: str
    database: str
    server_time: datetime
    version: str
    schemas: tuple[str, ...]
    hidden_tables: tuple[str, ...]
    pooler_mode: str
    refuses_writes: str | None = None


@dataclass(frozen=True)
class SessionRole:
    """As which role a process of ours is connected. `process` begins with the service's name."""

    process: str
    role: str


@dataclass(frozen=True)
class ConnectionUse:
    """`used`: client sessions on the server now; `limit`: how many there may be.

    `pooler_may_allow_fewer`: there is a pooler in front of it, which tells nobody its own limit.
    """

    used: int
    limit: int
    pooler_may_allow_fewer: bool = False
