"""The Slack app's manifest, for Socket Mode or HTTP. Each scope is needed for a call that the bot makes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bot.commands.arguments import wrong_word
from bot.types import Answer, Attachment
from bot.views.modals import ADD_TODO, ESCALATE_THIS
from services.domain.errors import UsageError
from services.domain.message_origin import COMMAND, COMMAND_NAME

SCOPES = (
    "app_mentions:read",  # @dragonfly …
    "channels:history",  # find a message whose answer was lost
    "channels:read",  # find the incidents channel by its name
    "chat:write",  # post answers and alerts
    "commands",  # /dragonfly
    "files:write",  # upload a postmortem
    "groups:history",  # the same in private channels
    "groups:read",
    "im:history",  # read direct messages to the bot, and find one whose answer was lost
    "im:read",  # detect a direct message with a person from another company
    "im:write",  # page a person directly
    "reactions:read",  # see messages marked for the timeline
    "usergroups:read",  # members of the groups of operators and approvers
    "users:read",  # kind of an account (bot, guest, deactivated)
)
OPTIONAL_SCOPES = (
    "usergroups:write",  # make a user group follow a rotation; the person who installs the app may leave it out
)
NAME, COLOR = "Dragonfly", "#1d3557"
NAME_LIMIT = 35  # Slack's limit
_COLOR = re.compile(r"#[0-9a-f]{6}\Z")
EVENTS = ("app_home_opened", "app_mention", "message.im", "reaction_added", "reaction_removed")
SHORTCUTS = {
    ESCALATE_THIS: ("Escalate this", "Open an incident from this message"),
    ADD_TODO: ("Add a follow-up", "Note what is to be done after an incident"),
}


def manifest(
    *, http_url: str | None = None, command: str = COMMAND, name: str = NAME, color: str = COLOR
) -> dict[str, Any]:
    """Make the manifest: for Socket Mode, or with `http_url` for posts to `<http_url>/slack/events`. Raises UsageError.

    command, name, color: set them for a bot that shares its workspace with another environment's bot.
    """
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
            "name": name,
            "description": "Reports the state of Dragonfly Civil, and what to do about it",
            "background_color": color,
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
        "oauth_config": {"scopes": {"bot": [*SCOPES, *OPTIONAL_SCOPES], "bot_optional": list(OPTIONAL_SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)} | at,
            "interactivity": {"is_enabled": True} | at,
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


def manifest_json(**options: str | None) -> str:
    """The manifest as JSON, as `dragonfly manifest` prints it; options as for `manifest`."""
    return json.dumps(manifest(**{name: value for name, value in options.items() if value is not None}), indent=2)


def _endpoint(url: str) -> str:
    """The address for Slack's posts. Raises UsageError for other than https addresses."""
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


_OPTIONS = {"--http": "http_url", "--command": "command", "--name": "name", "--color": "color"}
_USAGE = "Write `dragonfly manifest [--http https://…] [--command /dragonfly-staging] [--name …] [--color #2a6f97]`."


async def print_manifest(words: Sequence[str], environ: Mapping[str, str]) -> Answer:  # noqa: ARG001
    """Print the manifest for `[--http <url>] [--command <name>] [--name <name>] [--color <color>]`."""
    options = _read_options(list(words))
    return Answer("", (), manifest(**options), file=Attachment("manifest.json", manifest_json(**options)))


def _read_options(words: list[str]) -> dict[str, str]:
    """Parse the options. Raises UsageError."""
    found: dict[str, str] = {}
    while words:
        name = _OPTIONS.get(words[0])
        if name is None:
            raise wrong_word(words[0], "is not expected here", _USAGE)
        if len(words) < 2:
            raise wrong_word(words[0], "lacks its value", _USAGE)
        found[name] = words[1]
        words = words[2:]
    _check_options(found)
    return found


def _check_options(found: Mapping[str, str]) -> None:
    if not COMMAND_NAME.match(found.get("command", COMMAND)):
        raise wrong_word(found["command"], "is not a slash followed by 1 to 31 of a-z, 0-9, - and _", _USAGE)
    if not 0 < len(found.get("name", NAME)) <= NAME_LIMIT:
        raise wrong_word(found["name"], f"is not 1 to {NAME_LIMIT} characters long", _USAGE)
    if not _COLOR.match(found.get("color", COLOR)):
        raise wrong_word(found["color"], "is not a color like #2a6f97", _USAGE)
