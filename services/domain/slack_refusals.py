"""The meaning of Slack's error codes: a problem of the content, the thread, the channel or the token."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from services.domain.errors import SourceError

SOURCE = "Slack"


class SlackRefusedError(SourceError):
    """Slack answered with an error. `code` is Slack's own word for it ("channel_not_found").

    `retry_after_s`: seconds to wait after too many calls (429).
    """

    def __init__(
        self,
        method: str,
        code: str,
        *,
        retryable: bool = False,
        outcome_unknown: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(SOURCE, f"{method} was refused ({code})", retryable=retryable, outcome_unknown=outcome_unknown)
        self.code = code
        self.retry_after_s = retry_after_s


class Refusal(Enum):
    """CONTENT: the message as it is; plain text may pass. THREAD: nothing can be posted in the thread; the channel may
    take it. PLACE: the channel or person takes no message of ours. TOKEN: Slack accepts none of our calls until a
    person fixes the token. UNKNOWN: a code that no table has."""

    CONTENT = auto()
    THREAD = auto()
    PLACE = auto()
    TOKEN = auto()
    UNKNOWN = auto()


SHARED_OUTSIDE = "shared_outside"  # our own code: people of another company read the channel (Slack Connect)
# Source: the errors of chat.postMessage, chat.postEphemeral, chat.update and conversations.open on docs.slack.dev.
_CODES: Mapping[Refusal, tuple[str, ...]] = {
    Refusal.CONTENT: (
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_too_large",
        "metadata_must_be_sent_from_app",
        "msg_too_long",
        "msg_blocks_too_long",
        "msg_blocks_too_many",
        "message_limit_exceeded",
        "attachment_payload_limit_exceeded",
        "too_many_attachments",
        "only_one_table_allowed",
        "markdown_text_conflict",
        "block_mismatch",
        "no_text",
        "invalid_arguments",
        "invalid_arg_name",
    ),
    Refusal.THREAD: (
        "thread_not_found",
        "invalid_thread_ts",
        "cannot_reply_to_message",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
    ),
    Refusal.PLACE: (
        SHARED_OUTSIDE,
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "is_inactive",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "team_access_not_granted",
        "method_not_supported_for_channel_type",
        "channel_type_not_supported",
        "messages_tab_disabled",
        "user_not_in_channel",
        "user_not_found",
        "users_not_found",
        "user_not_visible",
        "user_disabled",
        "users_list_not_supplied",
        "cannot_dm_bot",
    ),
    Refusal.TOKEN: (
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_expired",
        "token_revoked",
        "missing_scope",
        "not_allowed_token_type",
        "org_login_required",
        "team_added_to_org",
        "two_factor_setup_required",
    ),
}
REFUSALS: Mapping[str, Refusal] = MappingProxyType({code: kind for kind, codes in _CODES.items() for code in codes})


def refusal_of(code: str) -> Refusal:
    """The kind of refusal that Slack's code means."""
    return REFUSALS.get(code, Refusal.UNKNOWN)


def place_words(code: str) -> str:
    """Why a channel takes no messages, for people."""
    return _PLACES.get(code, f"Slack refuses posts there ({code})")


_PLACES: Mapping[str, str] = {
    SHARED_OUTSIDE: "people of another company read the channel (Slack Connect), so nothing is posted there",
    "channel_not_found": "there is no such channel, or it is private and the bot is not a member",
    "not_in_channel": "the bot is not a member",
    "is_archived": "the channel is archived",
    "is_inactive": "the channel is archived",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_only_channel": "only threads may be written to in the channel",
    "restricted_action": "a workspace setting keeps the bot from posting there",
}
