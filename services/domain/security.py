"""What in the database is open to somebody who should not have it (runbook, "SQL Verification Queries", 4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exposure:
    """One right that nobody should have.

    `kind`: `grants`, `functions`, `policies`, `rls`, `definer`, `public_schema`, `defaults`, `views`, `roles` or
    `logins`. `role` is empty where the fault is the object's own; `public` stands for everybody.
    """

    kind: str
    subject: str
    role: str
    what: str
