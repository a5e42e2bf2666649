"""The methods views.*: modals and the Home tab; and the check of every payload against Slack's limits."""

from services.sandbox.slack.blocks import with_ids
from services.sandbox.slack.limits import Surface, Violation, violations
from services.sandbox.slack.methods.method import Method, required
from services.sandbox.slack.model import ApiError, Json, Refusal, View
from services.sandbox.slack.views import TicketError
from services.sandbox.slack.workspace import Workspace, view_json

# {rule: error code}. For other rules it is `invalid_blocks` or, in a view, `invalid_arguments`.
CODES = {
    "msg_too_long": "msg_too_long",
    "msg_blocks_too_many": "msg_blocks_too_many",
    "only_one_table_allowed": "only_one_table_allowed",
    "unknown_argument": "invalid_arguments",
    "metadata": "invalid_metadata_format",
    "view_too_large": "view_too_large",
    "broadcast": "restricted_action",
}


def refuse_violations(
    workspace: Workspace,
    payload: Json,
    *,
    surface: Surface,
    method: str,
    channel: str | None = None,
    user: str | None = None,
) -> None:
    """Raise ApiError, and record a Refusal, if the payload breaks a rule."""
    all_found = violations(payload, surface=surface, method=method, groups=workspace.groups)
    found = [violation for violation in all_found if _counts(workspace, violation)]
    if not found:
        return
    code = _code(found, surface)
    problems = tuple(f"{violation.message} [json-pointer:{violation.path}]" for violation in found)
    workspace.record_refusal(Refusal(method, code, problems, payload, workspace.clock(), channel, user))
    messages = [f"[ERROR] {problem}" for problem in problems]
    raise ApiError(code, errors=list(problems), response_metadata={"messages": messages})


def _counts(workspace: Workspace, violation: Violation) -> bool:
    if violation.rule == "broadcast":
        return not workspace.broadcasts_allowed
    return violation.is_refused


def _code(found: list[Violation], surface: Surface) -> str:
    known = (CODES[violation.rule] for violation in found if violation.rule in CODES)
    return next(known, "invalid_blocks" if surface == "message" else "invalid_arguments")


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
    """The view's content with its ids filled in. Raises ApiError for a view that Slack would refuse."""
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
