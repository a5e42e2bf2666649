"""`/control/slack/…`: act as a person, add faults, and read what was sent, for tests and the demo."""

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import HTTPException
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request as requests_Request
from starlette.responses import PlainTextResponse
from starlette.responses import Response as responses_Response
from starlette.websockets import WebSocket

from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.blocks import Answer
from services.sandbox.slack.faults import FaultKind
from services.sandbox.slack.messages import mimetype
from services.sandbox.slack.model import Json, NothingThereError
from services.sandbox.slack.setup import AppSetup
from services.sandbox.slack.web_api import ResponseUrls, WebApi, learn_base_url
from services.sandbox.slack.workspace import Workspace, message_json, view_json
from services.sandbox.web_server import refuse_other_sites


class Typed(BaseModel):
    user: str
    channel: str
    text: str
    thread_ts: str | None = None


class Clicked(BaseModel):
    """A click. Either `channel` and `ts`, or `view_id`."""

    user: str
    action_id: str
    channel: str = ""
    ts: str = ""
    view_id: str | None = None
    block_id: str | None = None
    value: Answer = None
    answers: dict[str, dict[str, Answer]] = {}


class Submitted(BaseModel):
    user: str
    view_id: str
    answers: dict[str, dict[str, Answer]] = {}


class Closed(BaseModel):
    user: str
    view_id: str
    all_of_them: bool = False


class Opened(BaseModel):
    user: str


class Shortcut(BaseModel):
    user: str
    callback_id: str
    channel: str
    ts: str


class Reaction(BaseModel):
    user: str
    channel: str
    ts: str
    name: str


class PlantedFault(BaseModel):
    method: str = "*"
    kind: FaultKind
    times: int = 1
    seconds: float = 1.0
    code: str = ""


class Setup(BaseModel):
    """Mistakes in the app's settings at api.slack.com or in the incidents channel."""

    without_scopes: list[str] = []
    has_interactivity: bool = True
    has_messages_tab: bool = True
    owns_command: bool = True
    app_token_of: str | None = None
    is_member: bool = True
    is_archived: bool = False


class Power(BaseModel):
    is_down: bool


class Refresh(BaseModel):
    reason: Literal["warning", "refresh_requested", "link_disabled"] = "refresh_requested"
    only_one: bool = False


class ControlRoute(APIRoute):
    """Answers 404 with an explanation if there is nothing to act on."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_404(request: Request) -> Response:
            try:
                return await handle(request)
            except NothingThereError as error:
                raise HTTPException(404, str(error)) from error

        return handle_or_404


def build_control_router(workspace: Workspace) -> APIRouter:
    """The control routes. An unknown person, message or view is answered with 404 and an explanation."""
    router = APIRouter(prefix="/control/slack", route_class=ControlRoute, dependencies=[Depends(refuse_other_sites)])
    _add_people(router, workspace)
    _add_views(router, workspace)
    _add_faults(router, workspace)
    _add_setup(router, workspace)
    _add_reads(router, workspace)
    return router


def _add_people(router: APIRouter, workspace: Workspace) -> None:
    @router.post("/type")
    async def type_text(body: Typed, request: Request) -> Json:
        learn_base_url(workspace, request)
        error = await acting_as(workspace, body.user).type(body.channel, body.text, thread_ts=body.thread_ts)
        return {"error": error}

    @router.post("/click")
    async def click(body: Clicked, request: Request) -> Json:
        learn_base_url(workspace, request)
        actor = acting_as(workspace, body.user)
        chosen: dict[str, Any] = {"block_id": body.block_id, "value": body.value, "answers": body.answers}
        if body.view_id:
            return {"error": await actor.click_in_view(body.view_id, body.action_id, **chosen)}
        return {"error": await actor.click(body.channel, body.ts, body.action_id, **chosen)}

    @router.post("/shortcut")
    async def shortcut(body: Shortcut, request: Request) -> Json:
        learn_base_url(workspace, request)
        return {"error": await acting_as(workspace, body.user).shortcut(body.callback_id, body.channel, body.ts)}

    @router.post("/react")
    async def react(body: Reaction) -> Json:
        acting_as(workspace, body.user).react(body.channel, body.ts, body.name)
        return {}


def _add_views(router: APIRouter, workspace: Workspace) -> None:
    @router.post("/submit")
    async def submit(body: Submitted) -> Json:
        return {"errors": await acting_as(workspace, body.user).submit(body.view_id, body.answers)}

    @router.post("/close")
    async def close(body: Closed) -> Json:
        await acting_as(workspace, body.user).close_modal(body.view_id, all_of_them=body.all_of_them)
        return {}

    @router.post("/home")
    async def home(body: Opened) -> Json:
        acting_as(workspace, body.user).open_home()
        return {}


def _add_faults(router: APIRouter, workspace: Workspace) -> None:
    @router.post("/faults")
    async def plant(body: PlantedFault) -> Json:
        workspace.faults.plant(body.method, body.kind, times=body.times, seconds=body.seconds, code=body.code)
        return {}

    @router.delete("/faults")
    async def clear() -> Json:
        workspace.faults.clear()
        return {}

    @router.post("/power")
    async def power(body: Power) -> Json:
        workspace.faults.is_down = body.is_down
        if body.is_down:
            await workspace.sockets.cut()
        return {}

    @router.post("/refresh")
    async def refresh(body: Refresh) -> Json:
        await workspace.sockets.refresh(reason=body.reason, only_one=body.only_one)
        return {}

    @router.post("/redeliver")
    async def redeliver() -> Json:
        """Deliver the newest envelope again."""
        if not workspace.sockets.sent:
            raise HTTPException(404, "Nothing was delivered yet.")
        await workspace.sockets.redeliver(workspace.sockets.sent[-1])
        return {}


def _add_setup(router: APIRouter, workspace: Workspace) -> None:
    @router.post("/setup")
    async def set_up(body: Setup) -> Json:
        """Set everything at once: what is left out is set up correctly."""
        given = body.model_dump(include={"has_interactivity", "has_messages_tab", "owns_command"})
        workspace.setup = AppSetup(**given, app_token_of=body.app_token_of or workspace.app.id)
        workspace.setup.scopes -= set(body.without_scopes)
        channel, bot = workspace.channels[workspace.app.channel], workspace.bot.id
        channel.is_archived = body.is_archived
        channel.members = [one for one in channel.members if one != bot] + ([bot] if body.is_member else [])
        return {}


def _add_reads(router: APIRouter, workspace: Workspace) -> None:
    @router.get("/messages")
    async def messages(channel: str, user: str, thread_ts: str | None = None) -> Json:
        """The messages that this person sees in the channel or the thread, oldest first."""
        seen = workspace.thread_for(user, channel, thread_ts) if thread_ts else workspace.messages_for(user, channel)
        shapes = [message_json(workspace, m, with_metadata=True) | {"visible_to": m.visible_to} for m in seen]
        return {"messages": shapes}

    @router.get("/views")
    async def views(user: str) -> Json:
        """This person's open modal and Home tab."""
        modal, home = workspace.modal_for(user), workspace.home_for(user)
        shapes = {"modal": modal and view_json(workspace, modal), "home": home and view_json(workspace, home)}
        return {**shapes, "errors": dict(modal.errors) if modal else {}}

    @router.get("/calls")
    async def calls(method: str | None = None) -> Json:
        """The app's calls, oldest first."""
        return {"calls": [asdict(call) for call in workspace.calls if method in (None, call.method)]}

    @router.get("/refusals")
    async def refusals() -> Json:
        return {"refusals": [asdict(refusal) for refusal in workspace.refusals]}

    @router.get("/state")
    async def state() -> Json:
        people = [user.to_slack(workspace.team) for user in workspace.people]
        channels = [channel.to_slack(workspace.bot.id) for channel in workspace.channels.values()]
        down = workspace.faults.is_down
        return {"people": people, "channels": channels, "connections": workspace.sockets.count, "is_down": down}


def build_router(workspace: Workspace) -> APIRouter:
    """All routes for the app, the page and the tests. The caller starts the workspace."""
    router = build_slack_router(workspace)
    router.include_router(build_control_router(workspace))
    return router


def build_slack_router(workspace: Workspace) -> APIRouter:
    """The routes that the app uses: Slack without the control routes."""
    files = _Files(workspace)
    router = APIRouter()
    # Starlette's plain routes, which are faster: no dependency injection, no body model.
    router.add_route("/slack/api/{method}", WebApi(workspace).answer, methods=["GET", "POST"])
    router.add_route("/slack/response/{token}", ResponseUrls(workspace).answer, methods=["POST"])
    router.add_route("/slack/upload/{file_id}", files.receive, methods=["POST"])
    router.add_route("/slack/files/{file_id}/{name}", files.serve, methods=["GET"])

    async def link(socket: WebSocket) -> None:
        await workspace.sockets.serve(socket, socket.query_params.get("ticket", ""))

    router.add_websocket_route("/slack/link", link)
    router.add_websocket_route("/slack/link/", link)
    return router


class _Files:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def receive(self, request: requests_Request) -> responses_Response:
        """Receive the bytes: step 2 of an upload."""
        file = self._workspace.files.find(request.path_params["file_id"])
        if file is None:
            return PlainTextResponse("no such upload", status_code=404)
        file.content = await request.body()
        if len(file.content) != file.size:
            return PlainTextResponse("the length differs from what was announced", status_code=400)
        file.is_complete = True
        return PlainTextResponse(f"OK - {file.size}")

    async def serve(self, request: requests_Request) -> responses_Response:
        file = self._workspace.files.find(request.path_params["file_id"])
        if file is None or not file.is_complete:
            return PlainTextResponse("no such file", status_code=404)
        # A file may contain anything: it is served with the type of its name, and never run.
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        return responses_Response(file.content, media_type=mimetype(file.name), headers=headers)
