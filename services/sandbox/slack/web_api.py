"""The Web API and response URLs over HTTP: decodes calls, injects faults, answers, records."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from services.sandbox.slack.faults import Fault, FaultKind, wait_if_slow
from services.sandbox.slack.methods import METHODS
from services.sandbox.slack.methods.chat import changed_content, new_message
from services.sandbox.slack.methods.method import Method, is_true
from services.sandbox.slack.methods.views import refuse_violations
from services.sandbox.slack.model import ApiError, Call, Json, Message, RateLimitedError
from services.sandbox.slack.views import ResponseTicket, TicketError
from services.sandbox.slack.workspace import Workspace

JSON_ARGUMENTS = frozenset({"blocks", "view", "metadata", "files"})
NO_TOKEN_NEEDED = frozenset({"api.test"})
RECORD_VARIABLE = "SANDBOX_SLACK_RECORD"  # names a JSONL file to which every payload of the app is appended


class WebApi:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def answer(self, request: Request) -> Response:
        """Answer `/slack/api/{method}`."""
        method = request.path_params["method"]
        learn_base_url(self._workspace, request)
        if self._workspace.faults.is_down:
            return Response("The local Slack is switched off.", status_code=503)
        args = await read_arguments(request)
        fault = self._workspace.faults.take(method)
        await wait_if_slow(fault)
        return await self._apply(request, method, args, fault)

    async def _apply(self, request: Request, method: str, args: Json, fault: Fault | None) -> Response:
        if fault is not None and fault.kind is FaultKind.RATE_LIMIT:
            return self._refuse_rate(method, args, int(fault.seconds))
        if fault is not None and fault.kind is FaultKind.SERVER_ERROR:
            return Response("Server Error", status_code=500)
        if fault is not None and fault.kind is FaultKind.REFUSED:
            answer = ApiError(fault.code).to_answer()
            record(self._workspace, method, args, answer)
            return JSONResponse(answer)
        try:
            answer = self._call(method, args, _token(request, args))
        except RateLimitedError as error:
            return self._refuse_rate(method, args, error.retry_after_s)
        record(self._workspace, method, args, answer)
        if fault is not None and fault.kind is FaultKind.LOST_ANSWER:
            return await cut_connection(request)
        return JSONResponse(answer, headers={"X-OAuth-Scopes": self._granted(method)})

    def _granted(self, method: str) -> str:
        """The token's scopes, which Slack reports with each answer."""
        scopes = {"connections:write"} if method == "apps.connections.open" else self._workspace.setup.scopes
        return ",".join(sorted(scopes))

    def _refuse_rate(self, method: str, args: Json, retry_after_s: int) -> Response:
        answer = {"ok": False, "error": "ratelimited"}
        record(self._workspace, method, args, answer)
        return JSONResponse(answer, status_code=429, headers={"Retry-After": str(retry_after_s)})

    def _call(self, method: str, args: Json, token: str) -> Json:
        try:
            _check_token(method, token)
            self._workspace.setup.check_scope(method)
            return {"ok": True, **_find(method)(self._workspace, args)}
        except ApiError as error:
            return error.to_answer()


def _find(method: str) -> Method:
    if method not in METHODS:
        raise ApiError("unknown_method", req_method=method)
    return METHODS[method]


def record(workspace: Workspace, method: str, payload: Json, answer: Json) -> None:
    """Record the call, and append it to the record file if one is named. Tokens are left out."""
    shown = {key: value for key, value in payload.items() if key != "token"}
    workspace.record_call(Call(method, shown, answer, workspace.clock()))
    path = os.environ.get(RECORD_VARIABLE)
    if path:
        line = json.dumps({"method": method, "payload": shown, "ok": answer.get("ok"), "error": answer.get("error")})
        with Path(path).open("a") as file:
            file.write(line + "\n")


def learn_base_url(workspace: Workspace, request: Request) -> None:
    """Set the base URL of response URLs and sockets to the host that the caller used, if it is not set."""
    if not workspace.base_url:
        workspace.base_url = str(request.base_url).rstrip("/")


async def read_arguments(request: Request) -> Json:
    """The arguments from the query, then from a form or JSON body; JSON inside a form is decoded."""
    args: Json = dict(request.query_params)
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        decoded = _decode(body.decode())
        args |= decoded if isinstance(decoded, dict) else {}
    elif body:
        args |= dict(parse_qsl(body.decode(), keep_blank_values=True))
    return {key: _decode(value) if key in JSON_ARGUMENTS else value for key, value in args.items()}


def _decode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _token(request: Request, args: Json) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else str(args.get("token") or "")


def _check_token(method: str, token: str) -> None:
    if method in NO_TOKEN_NEEDED:
        return
    if not token:
        raise ApiError("not_authed")
    wanted = "xapp-" if method == "apps.connections.open" else "xoxb-"
    if not token.startswith(("xapp-", "xoxb-")):
        raise ApiError("invalid_auth")
    if not token.startswith(wanted):
        raise ApiError("not_allowed_token_type")


async def cut_connection(request: Request) -> Response:
    """Disconnect without an answer, so that the caller cannot know the outcome of the call."""
    cycle = getattr(request.receive, "__self__", None)  # uvicorn's request cycle, because ASGI can't do this
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()
    await asyncio.sleep(0)
    return Response(status_code=500)


METHOD = "response_url"  # the name of these calls in the record


class ResponseUrls:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def answer(self, request: Request) -> Response:
        """Answer `/slack/response/{token}`."""
        if self._workspace.faults.is_down:
            return Response("The local Slack is switched off.", status_code=503)
        args = await read_arguments(request)
        fault = self._workspace.faults.take_own(METHOD)
        if fault is not None and fault.kind is FaultKind.REFUSED:
            record(self._workspace, METHOD, args, {"ok": False, "error": fault.code})
            return PlainTextResponse(fault.code, status_code=400)
        try:
            respond(self._workspace, self._workspace.tickets.use_response(request.path_params["token"]), args)
        except (ApiError, TicketError) as error:
            answer = {"ok": False, "error": str(error)}
            record(self._workspace, METHOD, args, answer)
            return JSONResponse(answer, status_code=404 if isinstance(error, TicketError) else 400)
        record(self._workspace, METHOD, args, {"ok": True})
        return PlainTextResponse("ok")


def respond(workspace: Workspace, ticket: ResponseTicket, args: Json) -> None:
    """Post, replace or delete, as the arguments request. Raises ApiError if Slack would refuse."""
    original = workspace.messages.find(ticket.channel, ticket.message_ts) if ticket.message_ts else None
    if is_true(args.get("delete_original")):
        if original is not None:
            workspace.messages.remove(original)
        return
    refuse_violations(workspace, args, surface="message", method=METHOD, channel=ticket.channel, user=ticket.user)
    if is_true(args.get("replace_original")) and original is not None:
        workspace.messages.change(original, **{"blocks": [], **changed_content(args)})
        return
    posted = _post(workspace, ticket, args)
    if original is None:
        ticket.message_ts = posted.ts  # a later `replace_original` replaces the first answer to a command


def _post(workspace: Workspace, ticket: ResponseTicket, args: Json) -> Message:
    if not (args.get("text") or args.get("blocks")):
        raise ApiError("no_text")
    message = new_message(workspace, args, ticket.channel)
    if args.get("response_type") != "in_channel":
        message.visible_to = ticket.user
    workspace.post(message)
    return message
