"""The channels that reach a person: in Slack, and outside it, where a phone rings even if Slack is muted."""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    """The values are stored and written in on-call files. WEBHOOK is any pager; its target's settings say which."""

    MENTION = "mention"
    DIRECT = "direct"
    WEBHOOK = "webhook"
    EMAIL = "email"

    @property
    def words(self) -> str:
        """The channel's name in sentences."""
        return _WORDS.get(self, self.value)

    @property
    def leaves_slack(self) -> bool:
        return self in OUTSIDE_SLACK


OUTSIDE_SLACK = (Channel.WEBHOOK, Channel.EMAIL)  # in the order in which people are notified
_WORDS = {Channel.DIRECT: "direct message", Channel.WEBHOOK: "pager", Channel.EMAIL: "e-mail"}
