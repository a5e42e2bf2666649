"""Response URLs: the app answers one interaction, a few times, for half an hour."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.guard import refuse_violations
from services.sandbox.slack.methods._contract import is_true
from services.sandbox.slack.methods.chat import changed_content, new_message
from services.sandbox.slack.model import Json, Message
from services.sandbox.slack.tickets import ResponseTicket, TicketError
from services.sandbox.slack.web_api import read_arguments, record
from services.sandbox.slack.workspace import Workspace

METHOD = "response_url"  # the name of these calls in the record


class ResponseUrls:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def answer(self, request: Request) -> Response:
        """Answer `/slack/response/{token}`."""
        if self._workspace.faults.is_down:
            return Response("The local Slack is switched off.", status_code=503)
        args = await read_arguments(request)
        try:
            respond(self._workspace, self._workspace.tickets.use_response(request.path_params["token"]), args)
        except (ApiError, TicketError) as error:
            answer = {"ok": False, "error": str(error)}
            record(self._workspace, METHOD, args, answer)
            return JSONResponse(answer, status_code=404 if isinstance(error, TicketError) else 400)
        record(self._workspace, METHOD, args, {"ok": True})
        return PlainTextResponse("ok")


def respond(workspace: Workspace, ticket: ResponseTicket, args: Json) -> None:
    """Post, replace or delete, as the arguments say. Raises ApiError for what Slack would refuse."""
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
        ticket.message_ts = posted.ts  # the first answer to a command is what a later `replace_original` replaces


def _post(workspace: Workspace, ticket: ResponseTicket, args: Json) -> Message:
    if not any(args.get(name) for name in ("text", "blocks", "attachments")):
        raise ApiError("no_text")
    message = new_message(workspace, args, ticket.channel)
    if args.get("response_type") != "in_channel":
        message.visible_to = ticket.user
    workspace.post(message)
    return message
