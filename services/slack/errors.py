"""What slack_sdk raises, in the project's words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from services.domain.errors import SourceError

SOURCE = "Slack"
DEFAULT_RETRY_AFTER_S = 30.0
THREAD_GONE = "thread_not_found"

_TRY_LATER = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"})
_MAYBE_DONE = frozenset({"internal_error", "fatal_error", "service_unavailable"})  # Slack: "may have succeeded"


class SlackRefusedError(SourceError):
    """Slack answered with an error. `code` is its own word for it ("channel_not_found").

    `retry_after_s`: it was called too often (429), and asks not to be called so again before.
    """

    def __init__(
        self,
        method: str,
        code: str,
        *,
        retryable: bool = False,
        outcome_unknown: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(SOURCE, f"{method} was refused ({code})", retryable=retryable, outcome_unknown=outcome_unknown)
        self.code = code
        self.retry_after_s = retry_after_s


@contextlib.contextmanager
def translated(method: str) -> Iterator[None]:
    """Turns whatever a call raises into SourceError. Nothing of the payload gets into the words."""
    try:
        yield
    except SlackApiError as error:
        raise _refused(method, error) from None  # its text holds the whole response
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise SourceError(SOURCE, f"{method}: not reachable", retryable=True) from error
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError, SlackClientError) as error:
        why = f"{method}: the answer was lost ({type(error).__name__})"
        raise SourceError(SOURCE, why, retryable=True, outcome_unknown=True) from None


def _refused(method: str, error: SlackApiError) -> SourceError:
    response = error.response
    method = _asked(response) or method
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    code = str(data.get("error", status)) if isinstance(data, dict) else str(status)
    if status == 429:
        return SlackRefusedError(method, "ratelimited", retryable=True, retry_after_s=_retry_after(response.headers))
    if status >= 500 or not isinstance(data, dict):
        return SlackRefusedError(method, code, retryable=True, outcome_unknown=True)
    return SlackRefusedError(method, code, retryable=code in _TRY_LATER, outcome_unknown=code in _MAYBE_DONE)


def _asked(response: object) -> str | None:
    """The method of Slack's that was called: one call of slack_sdk may be several, as that for an upload is."""
    return str(getattr(response, "api_url", None) or "").rstrip("/").rpartition("/")[2] or None


def _retry_after(headers: Mapping[str, str]) -> float:
    """In seconds, at least one; 30 when Slack does not say."""
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return max(float(given), 1.0) if given.isdecimal() else DEFAULT_RETRY_AFTER_S
