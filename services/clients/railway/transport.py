"""Sends GraphQL requests to Railway. Identical reads share a response; every failure is a SourceError."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import httpx

from services.clients.bounded_http import send_bounded
from services.clients.railway.parsing import TOKEN_REFUSALS, is_refusal
from services.clients.railway.quota import (
    Purpose,
    Quota,
    RateLimit,
    Reader,
    current_reader,
    parse_rate_limit,
    parse_retry_after,
)
from services.clients.tls import trusted_authorities
from services.domain.errors import REFUSED, SourceError
from services.domain.masking import mask_line
from services.domain.secrets import Secret
from services.domain.text import read_json

T = TypeVar("T")


class SharedReads(Generic[T]):
    """Shares the answer of a read for `serves_s` seconds after it arrived with callers that ask the same.

    An error goes only to the callers that wait for it already.
    """

    def __init__(self, serves_s: float) -> None:
        self._serves_s = serves_s
        self._newest: dict[str, asyncio.Task[T]] = {}
        self._running: set[asyncio.Task[T]] = set()

    async def read(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]], *, anew: bool) -> T:
        """Return the answer. `anew`: send a new request, whose answer is shared with later callers all the same."""
        task = None if anew else self._newest.get(key)
        if task is None:
            task = self._begin(key, ask)
        return await asyncio.shield(task)  # a caller that is cancelled does not cancel the request for the others

    def forget(self) -> None:
        """Share no earlier answer any more, because something was changed."""
        self._newest.clear()

    async def aclose(self) -> None:
        """Cancel the requests in progress."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        task = self._newest[key] = asyncio.create_task(ask())
        self._running.add(task)
        task.add_done_callback(lambda done: self._end(key, done))
        return task

    def _end(self, key: str, task: asyncio.Task[T]) -> None:
        self._running.discard(task)
        if task.cancelled() or task.exception() is not None:  # also keeps asyncio from logging an unread exception
            self._drop(key, task)
        else:
            asyncio.get_running_loop().call_later(self._serves_s, self._drop, key, task)

    def _drop(self, key: str, task: asyncio.Task[T]) -> None:
        if self._newest.get(key) is task:
            del self._newest[key]


SOURCE = "Railway"
SERVES_S = 1.5  # for how long an answer is shared with other people who ask the same
_LONGEST_REASON = 200  # characters of Railway's error message that we pass on


class TokenKind(StrEnum):
    """The kind of a token, which decides its header: a project's (one environment), or an account's or workspace's."""

    PROJECT = "project"
    BEARER = "bearer"


class GraphQLError(SourceError):
    """An error that Railway reported. `field`: the innermost field that failed; None if Railway does not name it.

    is_refusal: certainly nothing was done. data: the partial answer beside the error, None if there is none. paths: the
    place of each error in it; empty if Railway does not name it.
    """

    def __init__(
        self,
        why: str,
        *,
        field: str | None,
        is_refusal: bool = False,
        data: Mapping[str, Any] | None = None,
        paths: Sequence[Sequence[object]] = (),
    ) -> None:
        super().__init__(SOURCE, why)
        self.field = field
        self.is_refusal = is_refusal
        self.data = data
        self.paths = paths


class NothingDoneError(SourceError):
    """The request was not sent, or was refused on arrival: Railway did nothing."""

    def __init__(self, why: str, *, retryable: bool = False) -> None:
        super().__init__(SOURCE, why, retryable=retryable)


class SendDeadline:
    """Checks the deadline of one request. httpx calls `trace` at each stage, the last time just before it writes.

    `deadline` (time.monotonic()) is None for a query, which may be sent at any time. `may_have_happened` stays True if
    a transport reports no stages.
    """

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.may_have_happened = True

    async def trace(self, stage: str, _: object) -> None:
        """Note the stage. Raises NothingDoneError if the deadline has passed."""
        if stage.endswith("connect_tcp.started"):
            self.may_have_happened = False
        elif stage.endswith("send_request_headers.started"):
            self.check()
            self.may_have_happened = True

    def check(self) -> None:
        """Raise NothingDoneError if the deadline has passed."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise NothingDoneError("the send deadline had passed; it was not sent", retryable=True)


class Transport:
    """Sends documents and returns `data`. Keeps connections open between reads, and remembers a 429.

    `serves_s`: for how many seconds an answer is shared with people who ask the same; all other reads are sent anew.
    `quota` decides which reads may be sent (their reader is set in `services.clients.railway.quota`).
    """

    def __init__(
        self,
        *,
        url: str,
        token: Secret,
        token_kind: TokenKind,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None,
        serves_s: float = SERVES_S,
        quota: Quota | None = None,
    ) -> None:
        self.rate_limit: RateLimit | None = None
        self._quota = quota or Quota()
        self._shared: SharedReads[Mapping[str, Any]] = SharedReads(serves_s)
        self._url = url
        self._token = token
        self._timeout_s = timeout_s
        self._refuse_until = 0.0  # time.monotonic()
        self._http = httpx.AsyncClient(
            headers=_headers(token, token_kind), timeout=timeout_s, transport=transport, verify=trusted_authorities()
        )
        # Each change takes a new connection: Railway may close an idle one while a request is being written to it, and
        # then it would be unknown whether the change arrived.
        self._http_once = httpx.AsyncClient(
            headers=_headers(token, token_kind),
            timeout=timeout_s,
            transport=transport,
            verify=trusted_authorities(),
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def call(self, document: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        """Return the `data` of a query; do not modify it, other callers may share it.

        Raises SourceError for any other answer; its reason never contains the token.
        """
        reader = current_reader()
        key = document + json.dumps(variables, sort_keys=True, default=str)
        return await self._shared.read(
            key, lambda: self._read(document, variables, reader), anew=reader.purpose is not Purpose.ANSWER
        )

    async def change(self, document: str, variables: Mapping[str, object], *, deadline: float) -> Mapping[str, Any]:
        """Return the `data` of a mutation, which is sent at most once and not after `deadline` (time.monotonic()).

        Raises SourceError; `outcome_unknown` is set unless Railway certainly did nothing.
        """
        send_deadline, reader = SendDeadline(deadline), current_reader()
        self._shared.forget()
        try:
            return await self._call(document, variables, send_deadline, Reader(max(reader.purpose, Purpose.CHANGE)))
        except SourceError as error:
            error.outcome_unknown = send_deadline.may_have_happened and not _did_nothing(error)
            raise
        finally:
            self._shared.forget()  # reads during the change may not show it yet

    async def _read(self, document: str, variables: Mapping[str, object], reader: Reader) -> Mapping[str, Any]:
        return await self._call(document, variables, SendDeadline(None), reader)

    async def _call(
        self, document: str, variables: Mapping[str, object], send_deadline: SendDeadline, reader: Reader
    ) -> Mapping[str, Any]:
        if reader.purpose is not Purpose.EMERGENCY:
            self._obey_rate_limit()
        if why := self._quota.begin(reader, datetime.now(UTC)):
            raise NothingDoneError(why, retryable=True)
        reported: RateLimit | None = None
        try:
            response = await self._post({"query": document, "variables": dict(variables)}, send_deadline)
            reported = parse_rate_limit(response.headers, datetime.now(UTC))
        finally:
            self._quota.end(reported, datetime.now(UTC))
        self.rate_limit = reported or self.rate_limit
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._refuse_until = time.monotonic() + parse_retry_after(response.headers)
            self._obey_rate_limit()
        return self._read_data(response)

    async def aclose(self) -> None:
        """Cancel the reads in progress and close the connections."""
        await self._shared.aclose()
        await self._http.aclose()
        await self._http_once.aclose()

    def _obey_rate_limit(self) -> None:
        wait_s = self._refuse_until - time.monotonic()
        if wait_s > 0:
            raise NothingDoneError(f"its rate limit is used up; it asks us to wait {wait_s:.0f} s", retryable=True)

    async def _post(self, body: Mapping[str, object], send_deadline: SendDeadline) -> httpx.Response:
        try:
            send_deadline.check()
            # httpx limits each read on its own; an answer that arrives slowly would never time out.
            async with asyncio.timeout(self._timeout_s):
                return await self._send(body, send_deadline)
        except (TimeoutError, httpx.TimeoutException) as exc:
            raise SourceError(SOURCE, f"no answer within {self._timeout_s:g} s", retryable=True) from exc
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise NothingDoneError("RAILWAY_API_URL is not a usable http(s) address") from exc
        except httpx.LocalProtocolError:  # its text, and so its traceback, would quote the header with the token
            raise NothingDoneError("the token holds a character that a header may not hold") from None
        except httpx.ConnectError as exc:
            raise NothingDoneError(f"cannot be reached ({type(exc).__name__})", retryable=True) from exc
        except httpx.HTTPError as exc:
            raise SourceError(SOURCE, f"cannot be reached ({type(exc).__name__})", retryable=True) from exc

    async def _send(self, body: Mapping[str, object], send_deadline: SendDeadline) -> httpx.Response:
        """Send the request; a query whose idle connection breaks is sent once more, over a new one."""
        if send_deadline.deadline is None:
            with contextlib.suppress(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                return await send_bounded(self._http, "POST", self._url, json=body)
        return await send_bounded(
            self._http_once, "POST", self._url, json=body, extensions={"trace": send_deadline.trace}
        )

    def _read_data(self, response: httpx.Response) -> Mapping[str, Any]:
        answer = _parse_json(response)
        if isinstance(answer, dict) and answer.get("errors"):
            raise self._graphql_error(answer, is_refusal=is_refusal(response.status_code, answer))
        if response.status_code >= 300:
            raise _http_error(response.status_code)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
            raise SourceError(SOURCE, "its answer is not GraphQL", retryable=True)
        data: Mapping[str, Any] = answer["data"]
        return data

    def _graphql_error(self, answer: Mapping[str, Any], *, is_refusal: bool) -> GraphQLError:
        errors, data = answer["errors"], answer.get("data")
        first = errors[0] if isinstance(errors, list) and errors else None
        error_text = _message(first).replace(self._token.reveal(), "…")
        refused = any(refusal in error_text.lower() for refusal in TOKEN_REFUSALS)
        why = (
            f"it refuses our token: {mask_line(error_text)}"
            if refused
            else f"it answered with an error: {mask_line(error_text)}"
        )
        return GraphQLError(
            why,
            field=_field(first),
            is_refusal=is_refusal,
            data=data if isinstance(data, dict) else None,
            paths=[_path(error) for error in errors] if isinstance(errors, list) else [()],
        )


def _did_nothing(error: SourceError) -> bool:
    """True if Railway certainly did nothing."""
    if isinstance(error, GraphQLError):
        return error.is_refusal
    return error.http_status in REFUSED or isinstance(error, NothingDoneError)


def _headers(token: Secret, kind: TokenKind) -> list[tuple[bytes, bytes]]:
    """The headers, as bytes: httpx would refuse a token that is not ASCII with an error that quotes it."""
    name, value = b"Authorization", f"Bearer {token.reveal()}"
    if kind is TokenKind.PROJECT:
        name, value = b"Project-Access-Token", token.reveal()
    return [(name, value.encode()), (b"User-Agent", b"dragonfly-chatops")]


def _parse_json(response: httpx.Response) -> object:
    """The body; None if it is not JSON, as with a proxy's error page."""
    try:
        return read_json(response.content)
    except (ValueError, RecursionError):
        return None


def _http_error(status: int) -> SourceError:
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return SourceError(SOURCE, f"it refuses our token (HTTP {status})", http_status=status)
    return SourceError(SOURCE, f"it answered HTTP {status}", retryable=status >= 500, http_status=status)


def _message(error: object) -> str:
    """Railway's error message, on one line and cut. It may quote data: mask it before it is shown."""
    message = error.get("message") if isinstance(error, dict) else None
    words = " ".join(str(message or "no reason given").split())
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 1] + "…"


def _field(error: object) -> str | None:
    names = [part for part in _path(error) if isinstance(part, str)]
    return names[-1] if names else None


def _path(error: object) -> list[object]:
    path = error.get("path") if isinstance(error, dict) else None
    return path if isinstance(path, list) else []
