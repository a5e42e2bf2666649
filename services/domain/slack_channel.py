"""A Slack channel by its conversation object, and whether the bot may post there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.domain.slack_refusals import SHARED_OUTSIDE, place_words


@dataclass(frozen=True)
class ChannelState:
    """`is_member`: the bot is a member. `is_shared_outside`: people of another company are in it, or were invited."""

    id: str
    is_archived: bool
    is_member: bool
    is_shared_outside: bool = False

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read a conversation object of Slack's API."""
        return cls(
            id=str(found["id"]),
            is_archived=bool(found.get("is_archived")),
            is_member=bool(found.get("is_member", True)),
            is_shared_outside=is_shared_outside(found),
        )

    @property
    def problem(self) -> str | None:
        """Why the bot can't post there, for people; None if it can."""
        if self.is_shared_outside:
            return place_words(SHARED_OUTSIDE)
        if self.is_archived:
            return place_words("is_archived")
        return None if self.is_member else f"{place_words('not_in_channel')}; /invite it"


def is_shared_outside(channel: Mapping[str, Any]) -> bool:
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))
