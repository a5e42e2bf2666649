"""The demo's web page as one router: the page, its parts, its files, and its live updates."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, StreamingResponse

from services.sandbox.other_sites import refuse_other_sites
from services.sandbox.page.commands import CommandHint
from services.sandbox.page.faults import BotFaults, DatabaseFaults
from services.sandbox.page.lines import DrawnBodies
from services.sandbox.page.live import live_events
from services.sandbox.page.pages import FOLDER, HEADERS, Pages
from services.sandbox.page.panel import Panel, build_panel_router
from services.sandbox.page.people import build_people_router
from services.sandbox.page.place import read_place
from services.sandbox.page.scene import ReadMarks, Scene
from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack.workspace import Workspace

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
) -> APIRouter:
    """The page of this workspace and this Railway.

    `commands` are `(name, usage, summary)`, as `dragonfly help --json` lists them; `shortcuts` are the message
    shortcuts of the app's manifest, `(callback_id, name)`.
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
        }
    )

    def show(request: Request, template: str) -> HTMLResponse:
        place = read_place(workspace, request.query_params)
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
    router.include_router(build_people_router(workspace), dependencies=from_here)
    router.include_router(build_panel_router(panel), dependencies=from_here)
    return router


def _build_links(workspace: Workspace) -> APIRouter:
    """The addresses of messages, as Slack forms them: the message's thread is opened."""
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
    # "no-cache": asked for anew each time, so that a changed file is seen after the next start.
    return FileResponse(file, headers=HEADERS | {"Cache-Control": "no-cache"})
