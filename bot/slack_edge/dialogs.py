"""Opens dialogs; where Slack opens none, whoever asked is told the line that does the same."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from bot.views.dialogs import no_dialog
from services.domain.errors import Choice, SourceError
from services.slack.client import SlackClient

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]


async def open_dialog(
    slack: SlackClient,
    body: Body,
    view: Mapping[str, Any],
    *,
    line: str,
    choices: Sequence[Choice] = (),
) -> str:
    """Open it with the trigger of this payload; its id. `line`: what to type instead, its places in angle brackets.

    Raises OperatorError that names the line, whatever kept the dialog from opening.
    """
    try:
        return await slack.open_view(str(body.get("trigger_id", "")), view)
    except SourceError as failure:
        logger.warning("a dialog did not open: %s", failure.why)
        raise no_dialog(failure, line, choices) from failure


async def fill_dialog(slack: SlackClient, view_id: str, view: Mapping[str, Any], *, line: str) -> None:
    """Show the content in a dialog that was opened empty. Raises OperatorError that names the line where that fails."""
    try:
        await slack.update_view(view_id, view)
    except SourceError as failure:
        logger.warning("a dialog stayed empty: %s", failure.why)
        raise no_dialog(failure, line) from failure
