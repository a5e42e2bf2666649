"""What Supavisor and PgBouncer write when they refuse or end a session, and what we say for it, quoting none of it.

They send these as FATAL with SQLSTATE XX000 (Supavisor; newer versions put a code of their own in front) or 08P01
(PgBouncer): also for the first statement of a session that they had accepted. docs/sqlstates.md shows the table.
Sources: supavisor `lib/supavisor/errors/` and, for older versions, `client_handler/error.ex`; pgbouncer `src/client.c`,
`src/objects.c` and `src/janitor.c`.
"""

from __future__ import annotations

from typing import NamedTuple

SQLSTATES = frozenset({"XX000", "08P01"})

_BLOCKED = "the pooler blocks new logins for a while"
_FULL = "too many connections"
_CHECKOUT = "the pooler found no free connection in time (checkout timeout)"
_AWAY = "the pooler does not reach the database"
_UNKNOWN = "the pooler knows no such user or project"


class PoolerRefusal(NamedTuple):
    """`why`: one clause for people."""

    why: str
    retryable: bool


# A part of what they write, in lower case. The first that fits counts.
POOLER_REFUSALS: tuple[tuple[str, PoolerRefusal], ...] = (
    ("tenant or user not found", PoolerRefusal(_UNKNOWN, False)),
    ("(enotfound)", PoolerRefusal(_UNKNOWN, False)),
    ("(etenantnotfound)", PoolerRefusal(_UNKNOWN, False)),
    ("no tenant identifier", PoolerRefusal("the pooler needs the project in the user name: role.project-ref", False)),
    ("invalid format for user", PoolerRefusal("the pooler needs the user name as role.project-ref", False)),
    ("tenant is banned", PoolerRefusal("the pooler has banned this project; ask Supabase why", False)),
    (
        "failed to retrieve database credentials",
        PoolerRefusal(f"{_BLOCKED}: it could not read the credentials from the database (circuit breaker)", True),
    ),
    (
        "unable to establish connection to upstream",
        PoolerRefusal(f"{_BLOCKED}: it did not reach the database (circuit breaker)", True),
    ),
    ("circuit breaker", PoolerRefusal(f"{_BLOCKED} after too many failed ones (circuit breaker)", True)),
    ("ecircuitbreaker", PoolerRefusal(f"{_BLOCKED} after too many failed ones (circuit breaker)", True)),
    ("too many authentication", PoolerRefusal(f"{_BLOCKED} after too many failed ones (circuit breaker)", True)),
    ("checkout timeout", PoolerRefusal(_CHECKOUT, True)),
    ("unable to check out", PoolerRefusal(_CHECKOUT, True)),
    ("query_wait_timeout", PoolerRefusal(_CHECKOUT, True)),
    ("max client", PoolerRefusal(_FULL, True)),
    ("maxclients", PoolerRefusal(_FULL, True)),
    ("max pools", PoolerRefusal(_FULL, True)),
    ("max_client_conn", PoolerRefusal(_FULL, True)),
    ("client connections exceeded", PoolerRefusal(_FULL, True)),
    ("allow_list", PoolerRefusal("the pooler's allow-list does not have our address", False)),
    (
        "ssl connection is required",
        PoolerRefusal("the pooler takes encrypted connections only: set sslmode=require", False),
    ),
    ("ssl required", PoolerRefusal("the pooler takes encrypted connections only: set sslmode=require", False)),
    ("user not found in the database", PoolerRefusal("the database knows no such user", False)),
    ("no auth_query", PoolerRefusal("the pooler has no way to check this user's password", False)),
    ("eauthquery", PoolerRefusal("the pooler could not check the login in the database", True)),
    ("connection to database closed", PoolerRefusal("the pooler lost its connection to the database", True)),
    ("dbhandler exited", PoolerRefusal("the pooler lost its connection to the database", True)),
    ("server conn crashed", PoolerRefusal("the pooler lost its connection to the database", True)),
    ("server_login_retry", PoolerRefusal(_AWAY, True)),
    ("cannot connect to server", PoolerRefusal(_AWAY, True)),
    ("(server down)", PoolerRefusal(_AWAY, True)),
    ("failed to subscribe to tenant", PoolerRefusal("the pooler could not start its pool", True)),
    ("pool terminating", PoolerRefusal("the pooler ends its pool", True)),
    ("timeout while waiting for message", PoolerRefusal("the login took too long for the pooler", True)),
    ("connection failure during authentication", PoolerRefusal("the login took too long for the pooler", True)),
    ("client_login_timeout", PoolerRefusal("the login took too long for the pooler", True)),
    ("no such database", PoolerRefusal("the pooler knows no such database", False)),
    ("no such user", PoolerRefusal(_UNKNOWN, False)),
    ("unsupported startup parameter", PoolerRefusal("the pooler does not take a parameter of the address", False)),
)


def pooler_refusal(said: str) -> PoolerRefusal | None:
    """What a pooler means by this text; None when no pooler wrote it."""
    text = said.lower()
    return next((refusal for words, refusal in POOLER_REFUSALS if words in text), None)
