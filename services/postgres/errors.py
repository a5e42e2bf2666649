"""Says in our own words what a psycopg error means, without a DSN, a password or a row's values."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from services.domain.dsn import ENCODE, foreign_parameter
from services.domain.errors import SourceError
from services.domain.masking import template
from services.postgres.poolers import SQLSTATES, pooler_refusal
from services.postgres.sqlstates import server_trouble

SOURCE = "database"

# What libpq and the server write when no session comes about -> (what we say, whether a retry can help). The first that
# fits counts; the poolers' own words are asked before (poolers.py).
_PASSWORD = "password authentication failed"  # noqa: S105 - the server's sentence
_CONNECT = (
    (_PASSWORD, "password refused", False),
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
_HOST_WITH_AT = re.compile(r"resolve host '[^']*@")  # what is left of a password with an @ is taken for the host
_NOT_REFUSED = "is the server running on that host and accepting tcp/ip connections?"  # libpq's guess, not an answer

# Their primary message names only schemas, tables, columns, functions or constraints; values stand in DETAIL.
_NAMES_OBJECTS_ONLY = (
    errors.InsufficientPrivilege,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedObject,
    errors.InvalidSchemaName,
    errors.IntegrityError,
)
_RAISE = "exec_stmt_raise"  # the server's name for RAISE in a function: such a text may be made from a row
# These say sentences of ours that hold nothing of a row.
_OUR_FUNCTIONS = ("PL/pgSQL function chatops.", "PL/pgSQL function intake.remove_golden_path_batch(")


def explain_connect(error: psycopg.Error) -> SourceError:
    """Why no session came about."""
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
    """Why a statement failed."""
    if isinstance(error, errors.QueryCanceled):
        return no_answer(timeout_s)
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:
        return not_encodable()
    refusal = pooler_refusal(error.diag.message_primary or "") if error.sqlstate in SQLSTATES else None
    if refusal is not None:  # a pooler may refuse the first statement of a session that it took
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
    """Whether the server itself wrote the text, or a function of ours."""
    return error.diag.source_function != _RAISE or (error.diag.context or "").startswith(_OUR_FUNCTIONS)


def explain_file(error: psycopg.Error) -> str:
    """What the server says of a statement in a file of ours: as it says it where that names objects or quotes the file
    itself (SQLSTATE classes 23 and 42), else its template, because it may quote a row."""
    words = error.diag.message_primary
    if not words:
        return type(error).__name__
    of_the_file = (error.sqlstate or "").startswith(("23", "42")) and not error.diag.internal_query
    return words if of_the_file and _is_trusted(error) else template(words)


def explain_state(sqlstate: str, message: str) -> str:
    """The same clause for an error that a function caught on the server, by its SQLSTATE and primary message."""
    try:
        kind = errors.lookup(sqlstate)
    except KeyError:
        return f"SQLSTATE {sqlstate}"
    return message if issubclass(kind, _NAMES_OBJECTS_ONLY) else f"{kind.__name__} (SQLSTATE {sqlstate})"


def no_answer(timeout_s: float) -> SourceError:
    """The server took too long."""
    return SourceError(SOURCE, f"no answer within {timeout_s:g} s", retryable=True)


def not_encodable() -> SourceError:
    """A text holds NUL or half an emoji: the statement never left."""
    return SourceError(SOURCE, "a text holds a character that cannot be stored; nothing was saved")
