"""Submitting and closing modals, and what the app may answer to it."""

from typing import TYPE_CHECKING

from services.sandbox.slack import payloads
from services.sandbox.slack.blocks import Answers, state_values, unanswered
from services.sandbox.slack.delivery import Envelope, EnvelopeKind, NotDeliveredError
from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.methods.views import checked_view
from services.sandbox.slack.model import Json, User, View

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace

TROUBLE = {"": "We had some trouble connecting. Try again?"}  # what a person reads when the app's answer is no good


async def submit(workspace: "Workspace", user: User, view: View, answers: Answers | None) -> dict[str, str]:
    """What is wrong, by block id (the empty one for the whole view); empty when the app took it."""
    view.state = state_values(view.content["blocks"], answers)
    errors = unanswered(view.content["blocks"], view.state)
    if errors:
        workspace.views.refuse(view, errors)
        return errors
    payload = payloads.view_submission(workspace, user, view)
    try:
        answer = await workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
        return _obey(workspace, view, answer)
    except (ApiError, NotDeliveredError):
        workspace.views.refuse(view, TROUBLE)
        return TROUBLE


def _obey(workspace: "Workspace", view: View, answer: Json) -> dict[str, str]:
    """Do what the acknowledgement says; without a word the modal closes. Raises ApiError."""
    match answer.get("response_action"):
        case "errors":
            return _show_errors(workspace, view, answer.get("errors") or {})
        case "update":
            workspace.views.update(view, _checked(workspace, view, answer))
        case "push":
            if workspace.views.push(view.user, _checked(workspace, view, answer)) is None:
                raise ApiError("push_limit_reached")
        case "clear":
            workspace.views.clear(view.user)
        case _:
            workspace.views.pop(view)
    return {}


def _show_errors(workspace: "Workspace", view: View, errors: Json) -> dict[str, str]:
    """Errors count only on input blocks of this view."""
    inputs = {block["block_id"] for block in view.content["blocks"] if block.get("type") == "input"}
    if not errors or not errors.keys() <= inputs:
        raise ApiError("invalid_arguments")
    workspace.views.refuse(view, errors)
    return errors


def _checked(workspace: "Workspace", view: View, answer: Json) -> Json:
    return checked_view(workspace, answer, surface="modal", method="view_submission", user=view.user)


async def close(workspace: "Workspace", user: User, view: View, *, all_of_them: bool) -> None:
    """Close one modal or all; the app hears of those that asked for it with `notify_on_close`."""
    if all_of_them or view.content.get("clear_on_close"):
        closed = workspace.views.clear(user.id)
    else:
        workspace.views.pop(view)
        closed = [view]
    for each in closed:
        if each.content.get("notify_on_close"):
            payload = payloads.view_closed(workspace, user, each, is_cleared=all_of_them)
            await _tell(workspace, payload)


async def _tell(workspace: "Workspace", payload: Json) -> None:
    try:
        await workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
    except NotDeliveredError:
        return  # Slack shows nothing either
