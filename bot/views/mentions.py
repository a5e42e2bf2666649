"""How Slack names people: only ids that Slack or our own settings gave ever become mentions."""

from __future__ import annotations

from services.domain.runs import Person


def mention(slack_id: str) -> str:
    """A user (U…, W…) or a user group (S…); ids are checked where they are read."""
    return f"<!subteam^{slack_id}>" if slack_id.startswith("S") else f"<@{slack_id}>"


def person(who: Person | None, *, otherwise: str = "the terminal") -> str:
    """Somebody by the id of Slack's signed payload."""
    return f"<@{who.user_id}>" if who else otherwise
