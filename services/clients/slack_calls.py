"""One call to Slack: masked content, a send deadline, and every failure as a SourceError."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from services.domain.errors import SourceError
from services.domain.secrets import redacted
from services.domain.slack_refusals import SOURCE, SlackRefusedError
from services.domain.text import cleaned

DEFAULT_RETRY_AFTER_S = 30.0

_TRY_LATER = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"})
_MAYBE_DONE = frozenset({"internal_error", "fatal_error", "service_unavailable"})  # Slack: "may have succeeded"
# Names of slack_sdk that differ from Slack's methods; an upload is several calls.
_METHODS = {
    "assistant_threads_setStatus": "assistant.threads.setStatus",
    "files_upload_v2": "an upload (files.getUploadURLExternal, files.completeUploadExternal)",
}


async def call(method: Callable[..., Awaitable[AsyncSlackResponse]], **body: Any) -> Mapping[str, Any]:
    """Call a method of slack_sdk, which encodes the arguments as Slack expects, and return the answer as a dict.

    All calls go through here: our own secrets are removed from what is sent, and characters that can't be stored from
    the answer.
    """
    with translated(_METHODS.get(method.__name__) or method.__name__.replace("_", ".")):
        answer = await method(**redacted(body))
        if not isinstance(answer.data, dict):
            raise ValueError("no JSON object")  # noqa: TRY004 - a lost answer, not a mistake of ours
        return cleaned(answer.data)


@contextlib.contextmanager
def translated(method: str) -> Iterator[None]:
    """Turn any error of a call into a SourceError. Its text contains nothing of the payload."""
    try:
        yield
    except SlackApiError as error:
        raise _refused(method, error) from None  # slack_sdk's text contains the whole response
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise SourceError(SOURCE, f"{method}: not reachable", retryable=True) from error
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError, SlackClientError) as error:
        why = f"{method}: the answer was lost ({type(error).__name__})"
        raise SourceError(SOURCE, why, retryable=True, outcome_unknown=True) from None


def _refused(method: str, error: SlackApiError) -> SourceError:
    response = error.response
    method = _called_method(response) or method
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    code = str(data.get("error", status)) if isinstance(data, dict) else str(status)
    if status == 429:
        return SlackRefusedError(method, "ratelimited", retryable=True, retry_after_s=_retry_after(response.headers))
    if status >= 500 or not isinstance(data, dict):
        return SlackRefusedError(method, code, retryable=True, outcome_unknown=True)
    return SlackRefusedError(method, code, retryable=code in _TRY_LATER, outcome_unknown=code in _MAYBE_DONE)


def _called_method(response: object) -> str | None:
    """The Slack method that was called: one call of slack_sdk may be several, as for an upload."""
    return str(getattr(response, "api_url", None) or "").rstrip("/").rpartition("/")[2] or None


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, at least 1; 30 if Slack does not report it."""
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return max(float(given), 1.0) if given.isdecimal() else DEFAULT_RETRY_AFTER_S


def refused_address(status: int) -> SlackRefusedError:
    """The error for a refused response URL. 400 means the content, whatever the body says; 404 a used-up URL."""
    code = "invalid_blocks" if status == 400 else str(status)
    return SlackRefusedError("response_url", code, retryable=status >= 500)


_LEAVES_BY: ContextVar[float | None] = ContextVar("leaves_by", default=None)


@contextlib.contextmanager
def departing(leaves_by: float | None) -> Iterator[None]:
    """Let calls in this block be sent only until `leaves_by` (time.monotonic()); None: at any time."""
    token = _LEAVES_BY.set(leaves_by)
    try:
        yield
    finally:
        _LEAVES_BY.reset(token)


def watch_send_deadlines() -> aiohttp.TraceConfig:
    """A trace config for a session that checks the deadline once connected, the last step before sending."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_check)
    config.on_connection_reuseconn.append(_check)
    return config


async def _check(_session: aiohttp.ClientSession, _context: SimpleNamespace, _what: object) -> None:
    leaves_by = _LEAVES_BY.get()
    if leaves_by is not None and time.monotonic() >= leaves_by:
        raise SourceError(SOURCE, "the time for sending this was over; it was not sent", retryable=True)
