"""The Slack app's manifest. One template, two renderings. Each scope is there for one call that the bot makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bot.commands.arguments import wrong_word
from bot.types import Answer, Attachment
from bot.views.modals import ESCALATE_THIS
from services.domain.errors import UsageError

SCOPES = (
    "app_mentions:read",  # @dragonfly …
    "channels:history",  # find a message whose answer was lost
    "channels:read",  # the incidents channel, from its name
    "chat:write",  # answers, alerts
    "commands",  # /dragonfly
    "files:write",  # a postmortem
    "groups:history",  # the same in private channels
    "groups:read",
    "im:history",  # read direct messages to the bot, and find one whose answer was lost
    "im:read",  # whether a direct message is with a person from another company
    "im:write",  # page a person directly
    "reactions:read",  # messages marked for the timeline
    "usergroups:read",  # who is in the groups of operators and approvers
    "users:read",  # whether an account is a bot
)
EVENTS = ("app_home_opened", "app_mention", "message.im", "reaction_added", "reaction_removed")
SHORTCUTS = {ESCALATE_THIS: ("Escalate this", "Open an incident from this message")}


def manifest(*, http_url: str | None = None, command: str = "/dragonfly") -> dict[str, Any]:
    """Socket Mode without `http_url`; with it, Slack posts to `<http_url>/slack/events`. Raises UsageError."""
    url = None if http_url is None else _endpoint(http_url)
    at = {} if url is None else {"request_url": url}
    slash = {
        "command": command,
        "description": "Operate Dragonfly Civil",
        "usage_hint": "health | sha | heartbeats | queue | logs <service> | help",
        "should_escape": True,
    }
    return {
        "display_information": {
            "name": "Dragonfly",
            "description": "Reports the state of Dragonfly Civil, and what to do about it",
            "background_color": "#1d3557",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": command.removeprefix("/"), "always_online": True},
            "shortcuts": [
                {"name": name, "type": "message", "callback_id": callback_id, "description": description}
                for callback_id, (name, description) in SHORTCUTS.items()
            ],
            "slash_commands": [slash if url is None else slash | {"url": url}],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)} | at,
            "interactivity": {"is_enabled": True} | at,
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


def manifest_json(*, http_url: str | None = None) -> str:
    """What `dragonfly manifest` prints."""
    return json.dumps(manifest(http_url=http_url), indent=2)


def _endpoint(url: str) -> str:
    """Where Slack posts. Slack takes https addresses only."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(
            "The manifest needs the bot's public address",
            why="Slack posts to https addresses only, and this is not one",
            what_next="Write `dragonfly manifest --http https://<the bot's address>`.",
        )
    return f"{url.removesuffix('/').removesuffix('/slack/events')}/slack/events"


async def print_manifest(words: Sequence[str], environ: Mapping[str, str]) -> Answer:  # noqa: ARG001
    """`manifest [--http <url>]`: the Slack app manifest as JSON, for Socket Mode or for HTTP."""
    match list(words):
        case []:
            url = None
        case ["--http", given]:
            url = given
        case _:
            usage = "Write `dragonfly manifest` or `dragonfly manifest --http https://…`."
            raise wrong_word(words[0], "is not expected here", usage)
    text = manifest_json(http_url=url)
    return Answer("", (), manifest(http_url=url), file=Attachment("manifest.json", text))
