"""A proxy between the bot and Railway, at which a test can hold, lose or refuse single calls; and one for TCP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

Where = Literal["before", "after"]

_RETRY = {"Retry-After": "1"}  # Railway sets it on every 429
_LIMITS = re.compile("x-ratelimit-|retry-after", re.IGNORECASE)
_OPERATION = re.compile(r"^\s*(?:#[^\n]*\n\s*)*(query|mutation)\s+(\w+)")


@dataclass
class Call:
    """One GraphQL document that was sent. `reached`: Railway received it. `answered`: the bot received Railway's
    answer."""

    name: str
    variables: dict[str, Any]
    is_mutation: bool
    reached: bool = False
    answered: bool = False


@dataclass
class Suppression:
    """Stops the next call of this name on its way to Railway ("before"), or its answer on the way back ("after").

    `lose`: when released, the connection is cut. `status`, `text`: the answer given instead of passing the call on.
    """

    name: str
    where: Where
    lose: bool = False
    status: int | None = None
    text: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


class Wire:
    """A proxy that passes everything until `hold`, `status` or `reads_status` is set. `calls`: all calls, in order.

    `rewrite` changes the text of each answer.
    """

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.status: int | None = None
        self.reads_status: int | None = None
        self.delay_s = 0.0
        self.rewrite: Callable[[str], str] = str
        self._upstream = upstream
        self._holds: list[Suppression] = []
        self._http: aiohttp.ClientSession | None = None

    def hold(
        self, name: str, where: Where, *, lose: bool = False, status: int | None = None, text: str = ""
    ) -> Suppression:
        """Stop the next call of this name only."""
        hold = Suppression(name, where, lose, status, text)
        self._holds.append(hold)
        return hold

    def lose(self, name: str, where: Where) -> None:
        """Cut the connection of the next call of this name, before or after Railway received it."""
        self.hold(name, where, lose=True).release()

    def reached(self, name: str) -> int:
        """Number of calls of this name that Railway received."""
        return sum(call.name == name and call.reached for call in self.calls)

    @property
    def mutations(self) -> list[str]:
        """Names of the mutations that Railway received, in order."""
        return [call.name for call in self.calls if call.is_mutation and call.reached]

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Wire]:
        """Listen on a free local port."""
        app = web.Application()
        app.router.add_post("/", self._pass_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with aiohttp.ClientSession() as self._http:
            try:
                yield self
            finally:
                for hold in self._holds:
                    hold.release()
                await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = _read_call(body)
        self.calls.append(call)
        await asyncio.sleep(self.delay_s)
        if status := self.status or (None if call.is_mutation else self.reads_status):
            return web.Response(status=status, text="upstream error", headers=_RETRY)
        if refusal := await self._stop(call, "before", request):
            return refusal
        call.reached = True
        assert self._http is not None
        headers = {name: value for name, value in request.headers.items() if name.lower().startswith("project-")}
        headers["Content-Type"] = "application/json"
        async with self._http.post(self._upstream, data=body, headers=headers) as answer:
            text = self.rewrite(await answer.text())
            limits = {name: value for name, value in answer.headers.items() if _LIMITS.match(name)}
            passed = web.Response(status=answer.status, text=text, content_type="application/json", headers=limits)
        if refusal := await self._stop(call, "after", request):
            return refusal
        call.answered = True
        return passed

    async def _stop(self, call: Call, where: Where, request: web.Request) -> web.Response | None:
        hold = next((one for one in self._holds if (one.name, one.where) == (call.name, where)), None)
        if hold is None:
            return None
        self._holds.remove(hold)
        hold.reached.set()
        await hold.released.wait()
        if hold.lose and request.transport is not None:
            request.transport.abort()
        if hold.lose or hold.status is not None:
            return web.Response(status=hold.status or 502, text=hold.text, headers=_RETRY)
        return None


def _read_call(body: bytes) -> Call:
    sent = json.loads(body)
    match = _OPERATION.match(sent["query"])
    assert match is not None, sent["query"]
    return Call(match[2], sent.get("variables") or {}, match[1] == "mutation")


@dataclass
class Word:
    """Stops the connection on which this word is sent: "before" the server receives it, or "after" the server has
    answered.

    When released, the connection ends if `lose`, else it continues as if nothing had happened.
    """

    word: bytes
    where: Where
    lose: bool = True
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()

    async def stop(self) -> bool:
        """Wait until it is released; True if the held data is lost."""
        self.reached.set()
        await self.released.wait()
        return self.lose


class Line:
    """A TCP proxy to a server (such as Postgres) that can be cut and fixed. `dsn`: the same database through it."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self.dsn = ""
        self._direct = dsn
        self._upstream = (parts.hostname or "", parts.port or 0)
        self._is_cut = False
        self._passes = asyncio.Event()
        self._passes.set()
        self._word: Word | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.dsn = self._direct.replace(f":{self._upstream[1]}/", f":{server.sockets[0].getsockname()[1]}/")
        try:
            yield self
        finally:
            self.cut()
            self._passes.set()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        """Abort every connection, and close new ones immediately."""
        self._is_cut = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._is_cut = False
        self._passes.set()

    def swallow(self) -> None:
        """Accept new connections, and answer nothing."""
        self._passes.clear()

    def hold(self, word: bytes, where: Where, *, lose: bool = True) -> Word:
        """Stop the connection at the next time that the word is sent."""
        self._word = Word(word, where, lose)
        return self._word

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        self._ends.add(writer)
        await self._passes.wait()
        far_reader, far_writer = await asyncio.open_connection(*self._upstream)
        self._ends |= {writer, far_writer}
        if self._is_cut:  # cut meanwhile
            self.cut()
        try:
            posted: list[Word] = []
            await asyncio.gather(self._ask(reader, far_writer, posted), self._answer(far_reader, writer, posted))
        finally:
            self._ends -= {writer, far_writer}

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, posted: list[Word]) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                if self._word and self._word.word in piece:
                    posted.append(self._word)
                    self._word = None
                if posted and posted[0].where == "before" and await posted.pop().stop():
                    break
                server.write(piece)
                await server.drain()
        server.transport.abort()

    async def _answer(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, posted: list[Word]) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await server.read(65536):
                if posted and await posted.pop().stop():
                    break
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()
