"""Code that our processes share: settings, log format, listening sockets, and the runbook's log lines about the
database.

All log output passes through here: none of our own secrets leaves through it, and outside text can't forge a line or
move a cursor. Railway adds time, replica and severity: it marks everything on stderr as an error, so only errors go
there.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
import platform
import re
import socket
import sys
import traceback
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.clients.postgres.pool import Database
from services.domain.environments import check_environment
from services.domain.errors import SourceError
from services.domain.secrets import Secret, fit_to_print, redacted, remember_secrets
from services.domain.services import short_sha
from services.domain.text import clean_text, printable_json

log = logging.getLogger(__name__)

BACKLOG = 100  # connections that may wait to be accepted
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 15.0  # quick enough after an outage of minutes, without flooding the server

# The runbook's patterns, by our own words.
_RUNBOOK_WORDS = {
    "password refused": "FATAL: password authentication failed for user",
    "server not reachable": "Connection refused",
}


def collect_garbage_again() -> None:
    """Undo `gc.disable()` after a process's imports. Their objects stay, and are not scanned any more."""
    gc.freeze()
    gc.enable()


def retry_delay_s(failures: int) -> float:
    """Seconds to wait after the given number of failures in a row (from 1): doubling, up to a limit."""
    return min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S)


async def await_database(database: Database, *, pool_size: int) -> None:
    """Return when the database answers; until then retry, and log each new reason once."""
    failures, fields = 0, ""
    while True:
        try:
            await database.open()
        except SourceError as error:
            failures += 1
            if error.why != fields:
                _log_error(error)
                fields = error.why
            await asyncio.sleep(retry_delay_s(failures))
        else:
            log.info("PostgreSQL connection established")
            log.info("Pool size: %d, max overflow: 0", pool_size)
            return


def _log_error(error: SourceError) -> None:
    log.error("PostgreSQL connection failed: %s", _RUNBOOK_WORDS.get(error.why, error.why))


# Errors on a machine without IPv6: the kernel lacks it, or no interface has an address.
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def listen(port: int, address: str | None = None) -> list[socket.socket]:
    """Sockets that listen on `port` (0: a free one, the same for each) of one address, or of all IPv4 and IPv6 ones.

    One socket per address family, so that an IPv4 caller keeps an IPv4 address. Without IPv6 there is one. Raises
    OSError.
    """
    if address:
        return [_listen(address, port)]
    first = _listen("0.0.0.0", port)  # noqa: S104 - Railway's edge connects from outside, its private network by IPv6
    try:
        return [first, _listen("::", first.getsockname()[1])]
    except OSError as error:
        if error.errno in _NO_IPV6:
            return [first]
        first.close()
        raise


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
    # Each connection inherits this: with Nagle's delay an answer waits 40 ms for the client's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


LogFormat = Literal["plain", "json"]

FRAMES_SHOWN = 4  # innermost frames of the traceback that are shown


class PlainFormatter(logging.Formatter):
    """Formats the message; for an exception only its class and where it was raised.

    An exception's text may hold a row's values (Postgres' `DETAIL:`) or a DSN, and tracebacks include it.
    """

    def format(self, record: logging.LogRecord) -> str:
        error = _error_of(record)
        line = record.getMessage() if error is None else f"{record.getMessage()} ({error})"
        return fit_to_print(line.replace("\n", "\n  "))


class JsonFormatter(logging.Formatter):
    """The same as one object per line, which Railway parses: `message`, `level`, `logger`, and `error` if there is one.

    The other fields can be searched for there as `@logger:…`; the runbook's words are still in the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields = {"level": record.levelname.lower(), "message": record.getMessage(), "logger": record.name}
        error = _error_of(record)
        fields |= {} if error is None else {"error": error}
        return printable_json(json.dumps(redacted(fields), ensure_ascii=False))


def describe_error(error: BaseException) -> str:
    """The error's class and last frames: `KeyError at handler.py:12 > decide.py:41`; a SourceError's reason too."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # of several that failed together, the first is the cause
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
    way = " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
    name = f"{type(error).__name__}: {error}" if isinstance(error, SourceError) else type(error).__name__
    return f"{name} at {way}" if way else name


def log_to_streams(log_format: LogFormat = "plain") -> None:
    """Send everything from INFO to stdout, from ERROR to stderr; libraries log from WARNING only."""
    out, errors = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    out.addFilter(lambda record: record.levelno < logging.ERROR)
    errors.setLevel(logging.ERROR)
    for handler in (out, errors):
        handler.setFormatter(JsonFormatter() if log_format == "json" else PlainFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[out, errors], force=True)
    # No line shows its source, thread or process, so these are not collected (logging HOWTO, "Optimization"):
    # a job has four lines, and the cost was measurable.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("services").setLevel(logging.INFO)


def _error_of(record: logging.LogRecord) -> str | None:
    error = record.exc_info[1] if record.exc_info else None
    return None if error is None else describe_error(error)


EXIT_MISCONFIGURED = 2

_DSN = re.compile(r"(postgres|postgresql)://[^\s]+")


class ProcessSettings(BaseSettings):
    """Settings that every process has. Only `SUPABASE_DB_URL` and `ENVIRONMENT` are required. An empty variable counts
    as not set."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    environment: Annotated[str, AfterValidator(check_environment)]
    supabase_db_url: SecretStr
    railway_git_commit_sha: str | None = None
    railway_replica_id: str | None = None
    log_format: LogFormat = "plain"

    @field_validator("supabase_db_url")
    @classmethod
    def _is_postgres_url(cls, value: SecretStr) -> SecretStr:
        if not _DSN.fullmatch(value.get_secret_value()):
            raise ValueError("must look like postgresql://user:password@host:port/database")
        return value

    @field_validator("railway_git_commit_sha", "railway_replica_id")
    @classmethod
    def _can_be_stored(cls, value: str | None) -> str | None:
        """These values go into rows: invalid UTF-8 in the environment arrives as lone surrogates."""
        return value and clean_text(value)

    @property
    def dsn(self) -> Secret:
        return Secret(self.supabase_db_url.get_secret_value())

    @property
    def git_sha(self) -> str:
        """The first 8 characters of the deployed commit, or "unknown"."""
        return short_sha(self.railway_git_commit_sha)

    @property
    def python_version(self) -> str:
        return platform.python_version()


SettingsType = TypeVar("SettingsType", bound=ProcessSettings)


def read_or_exit(settings_class: type[SettingsType]) -> SettingsType:
    """Read the settings, or end the process with every fault on stderr: one failed deploy, not several."""
    try:
        settings = settings_class()
    except ValidationError as error:
        sys.stderr.write(describe_faults(error) + "\n")
        raise SystemExit(EXIT_MISCONFIGURED) from None
    remember_secrets("process", _secrets_of(settings))
    return settings


def _secrets_of(settings: ProcessSettings) -> Iterator[Secret]:
    """Each secret of the environment; a variable with several, separated by commas, gives each of them."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield from (Secret(part.strip()) for part in value.get_secret_value().split(","))


def describe_faults(error: ValidationError) -> str:
    """The faults of the environment, one line per variable, without any value."""
    lines = [f"  {'.'.join(map(str, fault['loc'])).upper()}: {_problem(fault)}" for fault in error.errors()]
    first = "CRITICAL: cannot start, the environment is incomplete or malformed:"
    return "\n".join([first, *lines, "Set these variables on the Railway service and deploy again."])


def _problem(fault: ErrorDetails) -> str:
    if fault["type"] == "missing":
        return "is not set"
    return fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
