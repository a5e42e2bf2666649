"""The local Slack as one router: Web API, Socket Mode, response URLs, uploads, and `/control/slack`."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket

from services.sandbox.slack.control import build_control_router
from services.sandbox.slack.files import mimetype
from services.sandbox.slack.responses import ResponseUrls
from services.sandbox.slack.web_api import WebApi
from services.sandbox.slack.workspace import Workspace


def build_router(workspace: Workspace) -> APIRouter:
    """Everything that the app, the page and the tests reach over HTTP. The workspace is started by the caller."""
    files = _Files(workspace)
    router = APIRouter()
    # Starlette's plain routes: no dependency injection or body model between the socket and the answer.
    router.add_route("/slack/api/{method}", WebApi(workspace).answer, methods=["GET", "POST"])
    router.add_route("/slack/response/{token}", ResponseUrls(workspace).answer, methods=["POST"])
    router.add_route("/slack/upload/{file_id}", files.receive, methods=["POST"])
    router.add_route("/slack/files/{file_id}/{name}", files.serve, methods=["GET"])

    async def link(socket: WebSocket) -> None:
        await workspace.sockets.serve(socket, socket.query_params.get("ticket", ""))

    router.add_websocket_route("/slack/link", link)
    router.add_websocket_route("/slack/link/", link)
    router.include_router(build_control_router(workspace))
    return router


class _Files:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def receive(self, request: Request) -> Response:
        """Step 2 of an upload: the bytes."""
        file = self._workspace.files.find(request.path_params["file_id"])
        if file is None:
            return PlainTextResponse("no such upload", status_code=404)
        file.content = await request.body()
        if len(file.content) != file.size:
            return PlainTextResponse("the length differs from what was announced", status_code=400)
        file.is_complete = True
        return PlainTextResponse(f"OK - {file.size}")

    async def serve(self, request: Request) -> Response:
        file = self._workspace.files.find(request.path_params["file_id"])
        if file is None or not file.is_complete:
            return PlainTextResponse("no such file", status_code=404)
        # A file may hold anything: it is shown as what its name says, and never run.
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        return Response(file.content, media_type=mimetype(file.name), headers=headers)
