"""Refuses what real Slack would refuse, and keeps it for the page to show."""

from services.sandbox.slack.errors import ApiError
from services.sandbox.slack.limits import Surface, Violation, violations
from services.sandbox.slack.model import Json, Refusal
from services.sandbox.slack.workspace import Workspace

# Rule -> error code. What is not here is `invalid_blocks` or, in a view, `invalid_arguments`.
CODES = {
    "msg_too_long": "msg_too_long",
    "msg_blocks_too_many": "msg_blocks_too_many",
    "msg_blocks_too_long": "msg_blocks_too_long",
    "only_one_table_allowed": "only_one_table_allowed",
    "markdown_text_conflict": "markdown_text_conflict",
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
    """Raises ApiError, and records a Refusal, when the payload breaks a rule."""
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
