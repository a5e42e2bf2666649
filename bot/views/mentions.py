"""How Slack names people: only ids that Slack or our own settings gave ever become mentions."""

from __future__ import annotations

from bot.views.text import escape
from services.domain.runs import Person


def mention(slack_id: str) -> str:
    """A user (U…, W…) or a user group (S…); ids are checked where they are read."""
    return f"<!subteam^{slack_id}>" if slack_id.startswith("S") else f"<@{slack_id}>"


def person(who: Person | None, *, otherwise: str = "the terminal") -> str:
    """Somebody by the id of Slack's signed payload."""
    return f"<@{who.user_id}>" if who else otherwise


def channel_name(channel: str) -> str:
    """A channel as the settings name it, by id or by name."""
    is_id = channel[:1] in "CG" and channel.isupper() and channel.isalnum()
    return f"<#{channel}>" if is_id else f"#{escape(channel.removeprefix('#'), limit=100)}"
