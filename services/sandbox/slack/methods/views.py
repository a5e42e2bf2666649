"""views.*: modals and the Home tab."""

from services.sandbox.slack.blocks import with_ids
from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.guard import refuse_violations
from services.sandbox.slack.json_shapes import view_json
from services.sandbox.slack.limits import Surface
from services.sandbox.slack.methods._contract import Method, required
from services.sandbox.slack.model import Json, View
from services.sandbox.slack.tickets import TicketError
from services.sandbox.slack.workspace import Workspace


def open_modal(workspace: Workspace, args: Json) -> Json:
    content = checked_view(workspace, args, surface="modal", method="views.open")
    return {"view": view_json(workspace, workspace.views.open(_presser(workspace, args), content))}


def push(workspace: Workspace, args: Json) -> Json:
    content = checked_view(workspace, args, surface="modal", method="views.push")
    view = workspace.views.push(_presser(workspace, args), content)
    if view is None:
        raise ApiError("push_limit_reached")
    return {"view": view_json(workspace, view)}


def update(workspace: Workspace, args: Json) -> Json:
    view = _find(workspace, args)
    surface: Surface = "home" if view.content.get("type") == "home" else "modal"
    content = checked_view(workspace, args, surface=surface, method="views.update", user=view.user)
    _refuse_stale(view, args)
    workspace.views.update(view, content)
    return {"view": view_json(workspace, view)}


def publish(workspace: Workspace, args: Json) -> Json:
    user = required(args, "user_id")
    if user not in workspace.users:
        raise ApiError("user_not_found")
    content = checked_view(workspace, args, surface="home", method="views.publish", user=user)
    before = workspace.views.home_for(user)
    if before is not None:
        _refuse_stale(before, args)
    return {"view": view_json(workspace, workspace.views.publish(user, content))}


def checked_view(workspace: Workspace, args: Json, *, surface: Surface, method: str, user: str | None = None) -> Json:
    """The view's content with its ids filled in. Raises ApiError for what Slack would refuse."""
    view = args.get("view")
    if not isinstance(view, dict):
        raise ApiError("invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: view"]})
    refuse_violations(workspace, view, surface=surface, method=method, user=user)
    return {**view, "blocks": with_ids(view["blocks"])}


def _presser(workspace: Workspace, args: Json) -> str:
    try:
        return workspace.tickets.use_trigger(required(args, "trigger_id"))
    except TicketError as error:
        raise ApiError(str(error)) from error


def _find(workspace: Workspace, args: Json) -> View:
    if args.get("view_id"):
        view = workspace.views.find(str(args["view_id"]))
    else:
        view = workspace.views.find_external(required(args, "external_id"))
    if view is None:
        raise ApiError("not_found")
    return view


def _refuse_stale(view: View, args: Json) -> None:
    if args.get("hash") and args["hash"] != view.hash:
        raise ApiError("hash_conflict")


METHODS: dict[str, Method] = {
    "views.open": open_modal,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
}
