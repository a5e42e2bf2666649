"""How the app is set up in Slack: what a person clicks together at api.slack.com, and can click together wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.sandbox.slack.model import APP_ID, ApiError

# The scope that each method asks for, where it asks for one that does not depend on the kind of the conversation.
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
# Asked for by what Slack delivers, or by private channels and direct messages, which no method of this table tells.
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
    """As a well set-up app has it. `owns_command`: False while another app in the workspace has the same command and
    was installed later, so that Slack calls that one. app_token_of: the app that the app-level token belongs to."""

    scopes: frozenset[str] = field(default_factory=lambda: frozenset(NEEDED.values()) | OTHERS)
    has_interactivity: bool = True
    has_messages_tab: bool = True
    owns_command: bool = True
    app_token_of: str = APP_ID

    def check_scope(self, method: str) -> None:
        """Raises ApiError as Slack does when the installation lacks the method's scope."""
        needed = NEEDED.get(method)
        if needed is not None and needed not in self.scopes:
            raise ApiError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
