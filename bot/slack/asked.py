"""Reads a request in the person's words from a payload, for the notice if it is interrupted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.commands.arguments import read_number
from bot.commands.parsing import split_words
from bot.commands.registry import find
from bot.commands.stop_workers import NAME as STOP_WORKERS
from bot.slack.payloads import command_line, read_click, read_metadata
from bot.slack.request_origin import RequestOrigin, read_mention
from bot.types import Surface
from bot.views import modals, run_buttons
from bot.views.text import plain
from services.domain.deliveries import Asked
from services.domain.errors import UsageError
from services.domain.masking import mask_message
from services.domain.message_origin import slash

Payload = Mapping[str, Any]

LIMIT, READ = 300, 3000  # characters
DECISIONS = frozenset({"approve", "deny", "review", "start-alone", "cancel"})  # the run shows whether they were done
_DECIDE_NOTHING = frozenset({run_buttons.DETAILS, run_buttons.ASK_AGAIN})  # the latter files a new run
SHOWS_STOPS = "health"  # shows a stop, which is sent before it is stored


def read_asked(body: Payload, request_origin: RequestOrigin, bot_user: str | None = None) -> Asked | None:
    """Read the request; None if no one waits for an answer (a reaction, the Home tab). `bot_user`: our user id."""
    found = _words(body, bot_user)
    if found is None:
        return None
    words, shown_by = found
    masked = plain(mask_message(words[:READ]), limit=LIMIT)  # mask before cutting: half a secret is not recognized
    return Asked(request_origin.actor.user_id, masked, shown_by)


def _words(body: Payload, bot_user: str | None) -> tuple[str, str | None] | None:
    """The words, and the command that shows the effect if the delivery's own records do not; None for no request."""
    if "command" in body:
        line = str(body.get("text") or "")
        return slash(line), _shown_by(line)
    if (event := body.get("event") or {}).get("type") in ("app_mention", "message"):
        mention = read_mention(event, bot_user)
        return (f"@dragonfly {mention.line.strip()}", _shown_by(mention.line)) if mention else None
    if actions := body.get("actions"):
        return _of_action(actions[0])
    if view := body.get("view"):
        return _of_view(view)
    callback = body.get("callback_id")
    return (f"the shortcut {callback}", None) if callback else None


def _of_action(action: Payload) -> tuple[str, str | None]:
    line, click = command_line(action), read_click(action)
    if line is not None:
        return slash(line), _shown_by(line)
    label = str((action.get("text") or {}).get("text") or action.get("action_id", ""))
    where = f", run {click.run_id}" if click else ""
    is_shown = click is not None and click.verb not in _DECIDE_NOTHING
    return f"the button {label}{where}", f"run {click.run_id}" if click and is_shown else None


def _of_view(view: Payload) -> tuple[str, str | None]:
    title = str((view.get("title") or {}).get("text", ""))
    run_id = read_metadata(view).get("run")
    if run_id is not None:
        return f"the dialog {title}, run {run_id}", f"run {run_id}"
    return f"the dialog {title}", SHOWS_STOPS if view.get("callback_id") == modals.STOP_WORKERS else None


def _shown_by(line: str) -> str | None:
    try:
        verb, words = find(split_words(line, Surface.SLASH))
    except UsageError:
        return None
    if verb.name in DECISIONS and words and (run_id := read_number(words[0])) is not None:
        return f"run {run_id}"
    return SHOWS_STOPS if verb.name == STOP_WORKERS else None
