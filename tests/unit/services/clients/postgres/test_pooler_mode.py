"""The pooler mode that a database address means, by Supabase's documentation."""

from __future__ import annotations

import pytest

from services.clients.postgres.operated import pooler_mode


@pytest.mark.parametrize(
    ("host", "port", "mode"),
    [
        ("aws-0-us-east-1.pooler.supabase.com", 6543, "transaction"),
        ("db.abcdefgh.supabase.co", 6543, "transaction"),
        ("aws-0-us-east-1.pooler.supabase.com", 5432, "session"),
        ("db.abcdefgh.supabase.co", 5432, "direct"),
        ("127.0.0.1", 54321, "direct"),
    ],
)
def test_the_pooler_follows_from_host_and_port(host: str, port: int, mode: str) -> None:
    assert pooler_mode(host, port) == mode
