"""Translates psycopg's errors into SourceErrors without a DSN, a password or a row's values.

One table for all processes; docs/sqlstates.md shows it. Codes and meanings: PostgreSQL documentation, appendix A.

Poolers send their errors as FATAL with SQLSTATE XX000 (Supavisor; newer versions put their own code in front) or 08P01
(PgBouncer), also for the first statement of a session that they had accepted. Sources: supavisor
`lib/supavisor/errors/` and, for older versions, `client_handler/error.ex`; pgbouncer `src/client.c`, `src/objects.c`
and `src/janitor.c`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import psycopg
from psycopg import errors

from services.domain.database import ENCODE, foreign_parameter
from services.domain.errors import SourceError
from services.domain.masking import template

SQLSTATES = frozenset({"XX000", "08P01"})

_BLOCKED = "the pooler blocks new logins for a while"
_FULL = "too many connections"
_CHECKOUT = "the pooler found no free connection in time (checkout timeout)"
_AWAY = "the pooler does not reach the database"
_UNKNOWN = "the pooler knows no such user or project"


class PoolerRefusal(NamedTuple):
    """A pooler's error. `why`: one clause for people."""

    why: str
    retryable: bool


# Parts of the poolers' messages, in lower case. The first match counts.
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
    ("authentication query failed", PoolerRefusal("the pooler could not check the login in the database", True)),
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


def pooler_refusal(raw: str) -> PoolerRefusal | None:
    """The meaning of a pooler's message; None if no pooler wrote it."""
    text = raw.lower()
    return next((refusal for words, refusal in POOLER_REFUSALS if words in text), None)


@dataclass(frozen=True)
class ServerTrouble:
    """A problem of the server. `why`: one clause for people. `takes_no_writes`: it answers reads, stores nothing."""

    why: str
    takes_no_writes: bool = False


_LOCKED = ServerTrouble("another session holds the lock")
_ENDING = ServerTrouble("server is shutting down")

# By SQLSTATE: the whole code (5 characters), or its class (the first 2); the whole code wins.
SERVER_TROUBLE: Mapping[str, ServerTrouble] = MappingProxyType(
    {
        "08": ServerTrouble("connection lost"),
        "25006": ServerTrouble("the database is read-only", takes_no_writes=True),
        "25P03": ServerTrouble("this process was too slow, and the server ended its session"),
        "40001": _LOCKED,
        "40P01": _LOCKED,
        "53100": ServerTrouble("the database's disk is full", takes_no_writes=True),
        "53200": ServerTrouble("the server is out of memory"),
        "53300": ServerTrouble("too many connections"),
        "53400": ServerTrouble("a limit of the server's configuration was reached"),
        "55P03": _LOCKED,
        "57P01": _ENDING,
        "57P02": ServerTrouble("the server restarts after a crash"),
        "57P03": ServerTrouble("server is not accepting connections now"),
        "57P04": ServerTrouble("the database was dropped"),
        "57P05": ServerTrouble("the server ended an idle session"),
        "58000": ServerTrouble("the server's operating system failed"),
        "58030": ServerTrouble("the server cannot read or write its files"),
        "XX000": ServerTrouble("an internal error of the server"),
    }
)
# A COMMIT that fails with one of these may have been carried out.
_ANSWER_LOST = ("08", "57P02")


def server_trouble(sqlstate: str | None) -> ServerTrouble | None:
    """The problem of the server; None if the statement itself is at fault, or the code is unknown."""
    if sqlstate is None:
        return None
    return SERVER_TROUBLE.get(sqlstate) or SERVER_TROUBLE.get(sqlstate[:2])


def loses_the_answer(sqlstate: str | None) -> bool:
    """True if the connection broke, so that the last statement's outcome is unknown."""
    return sqlstate is None or sqlstate.startswith(_ANSWER_LOST)


SOURCE = "database"

# Parts of the messages of libpq and the server when a connection fails: (their words, ours, whether a retry can help).
# The first match counts; the poolers' messages (POOLER_REFUSALS) are checked first.
_PASSWORD = "password authentication failed"  # noqa: S105 - the server's sentence
_CONNECT = (
    (_PASSWORD, "password refused", False),
    ("wrong password", "password refused", False),  # the message of Supavisor and SCRAM
    (
        "network is unreachable",
        "server not reachable: this machine has no way to its address; if that is IPv6, use the pooler's host",
        True,
    ),
    ("not permitted to log in", "this role may not log in (NOLOGIN)", False),
    ("not permitted", "the server does not permit this user", False),
    ("no pg_hba.conf entry", "the server does not allow this user from here", False),
    (
        "root certificate",
        "sslmode checks the server, and the root certificate is missing: set sslrootcert",
        False,
    ),
    ("certificate", "the server's certificate does not fit what sslmode demands", False),
    ("sasl", "the login failed (SASL): the password, or the pooler's way to check it", False),
    ("scram", "the login failed (SCRAM): the password, or the pooler's way to check it", False),
    ("does not exist", "no such database or role", False),
    ("closed the connection", "the connection was broken off during the login", True),
    ("closed unexpectedly", "the connection was broken off during the login (TLS)", True),
    ("eof", "the connection was broken off during the login (TLS)", True),
    ("ssl", "no encrypted connection possible", False),
    ("too many c", "too many connections", True),
    ("remaining connection slots", "too many connections", True),
    ("accepting connections", "the database is not accepting connections", True),
    ("starting up", "server is starting up", True),
    ("shutting down", "server is shutting down", True),
    ("recovery mode", "server is recovering from a crash", True),
    ("timeout expired", "no answer to the connection attempt", True),
    ("percent-encoded", f"the connection string is malformed: {ENCODE}", False),
    ("servname not supported", f"the connection string is malformed: {ENCODE}", False),
    ("invalid port", f"the connection string is malformed: {ENCODE}", False),
    ("resolve", "server not reachable: its host name is not known", True),
)
_HOST_WITH_AT = re.compile(r"resolve host '[^']*@")  # the part of a password after an @ was taken for the host
_NOT_REFUSED = "is the server running on that host and accepting tcp/ip connections?"  # libpq's guess, no refusal

# Errors whose primary message names only schemas, tables, columns, functions or constraints; values are in DETAIL.
_NAMES_OBJECTS_ONLY = (
    errors.InsufficientPrivilege,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedObject,
    errors.InvalidSchemaName,
    errors.IntegrityError,
)
_RAISE = "exec_stmt_raise"  # the server's name for RAISE in a function, whose message may contain a row's values
# Our functions, whose messages contain no values of a row.
_OUR_FUNCTIONS = ("PL/pgSQL function chatops.", "PL/pgSQL function intake.remove_golden_path_batch(")


def explain_connect(error: psycopg.Error) -> SourceError:
    """Explain why connecting failed."""
    parameter = foreign_parameter(str(error))
    text = str(error).lower().replace(_NOT_REFUSED, "")
    if parameter is not None:
        return SourceError(SOURCE, parameter)
    if _HOST_WITH_AT.search(text):
        return SourceError(SOURCE, f"the connection string is malformed: {ENCODE}")
    refusal = None if _PASSWORD in text else pooler_refusal(text)
    if refusal is not None:
        return SourceError(SOURCE, refusal.why, retryable=refusal.retryable)
    for words, why, retryable in _CONNECT:
        if words in text:
            return SourceError(SOURCE, why, retryable=retryable)
    if isinstance(error, psycopg.OperationalError):
        return SourceError(SOURCE, "server not reachable", retryable=True)
    return SourceError(SOURCE, "the connection string is malformed")


def explain(error: psycopg.Error, *, timeout_s: float) -> SourceError:
    """Explain why a statement failed."""
    if isinstance(error, errors.QueryCanceled):
        return no_answer(timeout_s)
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        return not_encodable()
    refusal = pooler_refusal(error.diag.message_primary or "") if error.sqlstate in SQLSTATES else None
    if refusal is not None:  # a pooler may refuse the first statement of a session that it accepted
        return SourceError(SOURCE, refusal.why, retryable=True)
    trouble = server_trouble(error.sqlstate)
    if trouble is not None:
        return SourceError(SOURCE, trouble.why, retryable=True, takes_no_writes=trouble.takes_no_writes)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return SourceError(SOURCE, "connection lost", retryable=True)
    if isinstance(error, _NAMES_OBJECTS_ONLY) and error.diag.message_primary and _is_trusted(error):
        return SourceError(SOURCE, error.diag.message_primary)
    return SourceError(SOURCE, f"{type(error).__name__} (SQLSTATE {error.sqlstate or 'none'})")


def _is_trusted(error: psycopg.Error) -> bool:
    """True if the server itself wrote the message, or a function of ours."""
    return error.diag.source_function != _RAISE or (error.diag.context or "").startswith(_OUR_FUNCTIONS)


def explain_file(error: psycopg.Error) -> str:
    """The server's message about a statement in one of our files.

    Its own words if they name objects or quote the file itself (SQLSTATE classes 23 and 42), else its template, because
    it may quote a row.
    """
    words = error.diag.message_primary
    if not words:
        return type(error).__name__
    of_the_file = (error.sqlstate or "").startswith(("23", "42")) and not error.diag.internal_query
    return words if of_the_file and _is_trusted(error) else template(words)


def explain_state(sqlstate: str, message: str) -> str:
    """Explain an error that a function caught on the server, by its SQLSTATE and primary message."""
    try:
        kind = errors.lookup(sqlstate)
    except KeyError:
        return f"SQLSTATE {sqlstate}"
    return message if issubclass(kind, _NAMES_OBJECTS_ONLY) else f"{kind.__name__} (SQLSTATE {sqlstate})"


def no_answer(timeout_s: float) -> SourceError:
    """The error for a server that took too long."""
    return SourceError(SOURCE, f"no answer within {timeout_s:g} s", retryable=True)


def not_encodable() -> SourceError:
    """The error for a text with NUL or half an emoji; the statement was never sent."""
    return SourceError(SOURCE, "a text holds a character that cannot be stored; nothing was saved")
