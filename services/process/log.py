"""Log lines, one sentence each, as the runbook searches for them: plain, or each as one JSON object.

This is the door to the log: none of our own secrets leaves through it, and no text of others makes a line of its own or
moves a cursor. Railway adds time, replica and severity: what is written to stderr counts as an error there, so only
that goes there.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import Literal

from services.domain.errors import SourceError
from services.domain.outside_text import printable, printable_json
from services.domain.own_secrets import redacted, without_own_secrets

LogFormat = Literal["plain", "json"]

FRAMES_SHOWN = 4  # from our handler into the library that gave up


class PlainFormatter(logging.Formatter):
    """The message alone; of an exception only the class and where it was raised.

    An exception's text may hold a row's values (Postgres' `DETAIL:`) or a DSN, and tracebacks carry it along.
    """

    def format(self, record: logging.LogRecord) -> str:
        error = _error_of(record)
        line = record.getMessage() if error is None else f"{record.getMessage()} ({error})"
        return fit_to_print(line.replace("\n", "\n  "))


class JsonFormatter(logging.Formatter):
    """The same as one object a line, which Railway reads: `message`, `level`, `logger`, and `error` where there is one.

    The other fields can be searched for there as `@logger:…`; the runbook's words are found in the message as before.
    """

    def format(self, record: logging.LogRecord) -> str:
        told = {"level": record.levelname.lower(), "message": record.getMessage(), "logger": record.name}
        error = _error_of(record)
        told |= {} if error is None else {"error": error}
        return printable_json(json.dumps(redacted(told), ensure_ascii=False))


def fit_to_print(text: str) -> str:
    """The text without our own secrets, and with escapes for what would act on the terminal or imitate a line."""
    return printable(without_own_secrets(text))


def describe_error(error: BaseException) -> str:
    """The error's class and the way to it: `KeyError at handler.py:12 > decide.py:41`; of our own, the reason too."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # of several that failed together, the first is the cause
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
    way = " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
    name = f"{type(error).__name__}: {error}" if isinstance(error, SourceError) else type(error).__name__
    return f"{name} at {way}" if way else name


def log_to_streams(log_format: LogFormat = "plain") -> None:
    """Send everything from INFO to stdout, from ERROR to stderr; libraries speak from WARNING only."""
    out, errors = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    out.addFilter(lambda record: record.levelno < logging.ERROR)
    errors.setLevel(logging.ERROR)
    for handler in (out, errors):
        handler.setFormatter(JsonFormatter() if log_format == "json" else PlainFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[out, errors], force=True)
    # No line tells its place, thread or process, so none is looked for (logging HOWTO, "Optimization"): a job has four
    # lines, and that shows.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.getLogger("services").setLevel(logging.INFO)


def _error_of(record: logging.LogRecord) -> str | None:
    error = record.exc_info[1] if record.exc_info else None
    return None if error is None else describe_error(error)
