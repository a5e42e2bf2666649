"""Where Supabase's dashboard shows what a person looks for (runbook, "Escalation Path")."""

from __future__ import annotations

import re

_HOST = re.compile(r"https://([a-z0-9]{1,40})\.supabase\.(?:co|in|net)/?\Z")
STATUS_PAGE = "https://status.supabase.com"
_DASHBOARD = "https://supabase.com/dashboard/project"


def project_ref(supabase_url: str | None) -> str | None:
    """The project's reference in `SUPABASE_URL`; None when the address is missing or is none of Supabase's."""
    match = _HOST.match(supabase_url or "")
    return match[1] if match else None


def log_links(ref: str) -> dict[str, str]:
    """`{label: address}` of the logs of the database and of the sign-in service."""
    return {
        "Database logs": f"{_DASHBOARD}/{ref}/logs/postgres-logs",
        "Auth logs": f"{_DASHBOARD}/{ref}/logs/auth-logs",
    }


def database_log_link(ref: str) -> dict[str, str]:
    """Of `log_links`, that of the database alone."""
    return {label: url for label, url in log_links(ref).items() if label == "Database logs"}
