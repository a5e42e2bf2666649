"""The demo's web page as one router: templates, page parts, files, and live updates."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.sandbox.page.drawing.mrkdwn import emoji, plain
from services.sandbox.page.panel import BotFaults, DatabaseFaults, Panel, build_panel_router
from services.sandbox.page.people import build_people_router
from services.sandbox.page.scene import DrawnBodies, ReadMarks, Scene, read_place
from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack.messages import ChangeKind
from services.sandbox.slack.workspace import Workspace
from services.sandbox.switch import Switch
from services.sandbox.web_server import refuse_other_sites


class CommandHint(NamedTuple):
    """One line of the completion menu: `name` follows `/dragonfly`, `usage` follows the name."""

    name: str
    usage: str
    summary: str


KEEP_ALIVE_S = 15.0  # the interval of comment lines, which show that the connection is alive
GATHER_S = 0.03  # changes within this time become one refresh

PARTS: dict[ChangeKind, tuple[str, ...]] = {
    ChangeKind.MESSAGE_POSTED: ("timeline", "sidebar"),
    ChangeKind.MESSAGE_CHANGED: ("timeline",),
    ChangeKind.MESSAGE_DELETED: ("timeline", "sidebar"),
    ChangeKind.VIEW: ("modal",),
    ChangeKind.HOME: ("home",),
    ChangeKind.CHANNEL: ("sidebar",),
    ChangeKind.REFUSED: ("timeline",),
    ChangeKind.CONNECTION: ("sidebar", "panel"),
    ChangeKind.MISSED: ("timeline", "sidebar", "home", "modal"),
}


class ChangedParts:
    """Collects the parts of the page that changed since they were last taken."""

    def __init__(self) -> None:
        self._parts: set[str] = set()
        self._something = asyncio.Event()

    def add(self, parts: Iterable[str]) -> None:
        self._parts.update(parts)
        self._something.set()

    async def take(self, timeout_s: float) -> list[str]:
        """Return the changed parts, as soon as there is one; empty after `timeout_s` without any."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._something.wait()
        except TimeoutError:
            return []
        await asyncio.sleep(GATHER_S)
        self._something.clear()
        taken, self._parts = sorted(self._parts), set()
        return taken


async def live_events(
    workspace: Workspace, railway: LocalRailway, phones: Phones, viewer: str
) -> AsyncGenerator[str, None]:
    """Yield the names of the parts that changed for this person, as server-sent events, until the browser disconnects.

    The first event names all parts, because the page may have missed changes while it loaded or its tab slept.
    """
    changed = ChangedParts()
    changed.add(PARTS[ChangeKind.MISSED])
    watchers = [
        asyncio.create_task(_watch_slack(workspace, viewer, changed)),
        asyncio.create_task(_watch(railway.subscribe(), "panel", changed)),
        asyncio.create_task(_watch(phones.subscribe(), "phones", changed)),
    ]
    try:
        while True:
            parts = await changed.take(KEEP_ALIVE_S)
            yield "".join(f"event: {part}\ndata: changed\n\n" for part in parts) or ": still here\n\n"
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _watch_slack(workspace: Workspace, viewer: str, changed: ChangedParts) -> None:
    with workspace.subscribe() as changes:
        async for change in changes:
            if change.user in (None, viewer):
                changed.add(PARTS[change.kind])


async def _watch(changes: AsyncIterator[int], part: str, changed: ChangedParts) -> None:
    async for _ in changes:
        changed.add([part])


FOLDER = Path(__file__).parent

HEADERS = {
    # Scripts and styles come from our own files only, so that the browser runs nothing from a message.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """The templates and their shared values. `values` are the same on every page."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(values, emoji=emoji, text=plain)
        self._environment.filters["pretty"] = pretty

    def respond(self, name: str, **values: object) -> HTMLResponse:
        return HTMLResponse(self._environment.get_template(name).render(values), headers=HEADERS)


def pretty(payload: object) -> str:
    """A payload as indented JSON."""
    return json.dumps(payload, indent=2, ensure_ascii=False, default=str)


STATIC = FOLDER / "static"
FRAGMENTS = frozenset({"sidebar", "timeline", "thread", "home", "modal", "panel", "phones", "bell"})


def build_router(
    workspace: Workspace,
    railway: LocalRailway,
    phones: Phones,
    database: DatabaseFaults,
    bot: BotFaults,
    commands: Sequence[tuple[str, str, str]],
    shortcuts: Sequence[tuple[str, str]] = (),
    *,
    switch: Switch | None = None,
    prefix: str = "",
) -> APIRouter:
    """The page of this workspace and this Railway.

    `commands` are `(name, usage, summary)`, as `dragonfly help --json` lists them; `shortcuts` are the message
    shortcuts of the app's manifest, `(callback_id, name)`. `prefix`: the start of this page's URLs.
    """
    router = APIRouter()
    marks, bodies = ReadMarks(), DrawnBodies()
    panel = Panel(railway, phones, database, bot, workspace)
    pages = Pages(
        {
            "workspace": workspace,
            "panel": panel,
            "commands": [CommandHint(*command) for command in commands],
            "shortcuts": shortcuts,
            "switch": switch,
        }
    )

    def show(request: Request, template: str) -> HTMLResponse:
        place = read_place(workspace, request.query_params, prefix)
        return pages.respond(template, place=place, scene=Scene(workspace, marks, bodies, place))

    @router.get("/")
    async def page(request: Request) -> HTMLResponse:
        return show(request, "page.html")

    @router.get("/page/live")
    async def live(request: Request) -> StreamingResponse:
        viewer = read_place(workspace, request.query_params).viewer
        events = live_events(workspace, railway, phones, viewer.id)
        return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)

    @router.get("/page/{fragment}")
    async def fragment(fragment: str, request: Request) -> HTMLResponse:
        if fragment not in FRAGMENTS:
            raise HTTPException(404, "The page has no such part")
        return show(request, f"{fragment}.html")

    router.include_router(_build_links(workspace))
    router.add_api_route("/static/{path:path}", static, methods=["GET"])

    from_here = [Depends(refuse_other_sites)]
    if switch is not None:

        @router.post("/page/start-environment", dependencies=from_here)
        async def start_environment() -> dict[str, str]:
            return {"prefix": await switch.start()}

    router.include_router(build_people_router(workspace), dependencies=from_here)
    router.include_router(build_panel_router(panel), dependencies=from_here)
    return router


def _build_links(workspace: Workspace) -> APIRouter:
    """The URLs of messages, in Slack's format: they open the message's thread."""
    router = APIRouter()

    @router.get("/archives/{channel}/p{number}")
    async def message(channel: str, number: str, request: Request) -> RedirectResponse:
        place = read_place(workspace, request.query_params)
        return RedirectResponse(place.link(**{"in": channel, "thread": f"{number[:-6]}.{number[-6:]}"}))

    return router


async def static(path: str) -> FileResponse:
    """One of the page's own files. Raises HTTPException (404)."""
    file = (STATIC / path).resolve()
    if not file.is_relative_to(STATIC) or not file.is_file():
        raise HTTPException(404, "There is no such file")
    # "no-cache": the browser checks for a newer file each time, so that changes show after the next start.
    return FileResponse(file, headers=HEADERS | {"Cache-Control": "no-cache"})
