"""The app's settings in Slack, which a person makes at api.slack.com, and can make wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.sandbox.slack.model import APP_ID, ApiError

# {method: the scope that it needs}, for scopes that do not depend on the type of the conversation.
NEEDED: Mapping[str, str] = {
    "bots.info": "users:read",
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.info": "channels:read",
    "conversations.list": "channels:read",
    "conversations.open": "im:write",
    "conversations.replies": "channels:history",
    "files.completeUploadExternal": "files:write",
    "files.getUploadURLExternal": "files:write",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "usergroups.users.update": "usergroups:write",
    "users.info": "users:read",
}
# Scopes for Slack's deliveries, and for private channels and direct messages, which the table above leaves out.
OTHERS = frozenset(
    {
        "app_mentions:read",
        "commands",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "reactions:read",
    }
)


@dataclass
class AppSetup:
    """The app's settings; the defaults are correct ones. app_token_of: the app that the app-level token belongs to.

    `owns_command`: False if another app in the workspace has the same command and was installed later, so that Slack
    calls that one.
    """

    scopes: frozenset[str] = field(default_factory=lambda: frozenset(NEEDED.values()) | OTHERS)
    has_interactivity: bool = True
    has_messages_tab: bool = True
    owns_command: bool = True
    app_token_of: str = APP_ID

    def check_scope(self, method: str) -> None:
        """Raise ApiError, as Slack does, if the installation lacks the method's scope."""
        needed = NEEDED.get(method)
        if needed is not None and needed not in self.scopes:
            raise ApiError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
