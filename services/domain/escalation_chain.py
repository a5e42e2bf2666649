"""The escalation chain: who is paged and in which order, frozen into an incident when it opens, and stored with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.domain.channels import Channel

REMIND_AFTER = timedelta(minutes=30)  # of an acknowledged incident without activity
UNACKNOWLEDGE_AFTER = timedelta(minutes=10)  # after the reminder


@dataclass(frozen=True)
class Target:
    """One channel to one person or group. `address`: a Slack id, or the name of a target in the bot's environment."""

    channel: Channel
    address: str
    who: str


def ways_words(targets: Iterable[Target]) -> str:
    """ "ben by direct message, pager; olivia by mention": each person once, with every channel."""
    ways: dict[str, list[str]] = {}
    for target in targets:
        ways.setdefault(target.who, []).append(target.channel.words)
    return "; ".join(f"{who} by {', '.join(by)}" for who, by in ways.items())


@dataclass(frozen=True)
class ChainLevel:
    """The people on call at one level when the chain was made, and how long to wait for them. `skipped`: those on call
    who can't be paged, in plain words ("ann is deactivated in Slack")."""

    name: str
    targets: tuple[Target, ...]
    wait: timedelta
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """The people who are paged, level by level, as of one moment: it is frozen into the incident."""

    levels: tuple[ChainLevel, ...] = ()
    remind_after: timedelta = REMIND_AFTER
    unacknowledge_after: timedelta = UNACKNOWLEDGE_AFTER
    notes: tuple[str, ...] = field(default=())  # its problems, in plain words

    def level(self, number: int) -> ChainLevel | None:
        """The level to page, counted from 0 and starting again after the last; None if the chain is empty."""
        return self.levels[number % len(self.levels)] if self.levels else None


def encode_chain(chain: Chain) -> dict[str, Any]:
    """The chain as JSON values; `decode_chain` reads them."""
    return {
        "levels": [
            {
                "name": level.name,
                "wait_s": level.wait.total_seconds(),
                "targets": [[target.channel.value, target.address, target.who] for target in level.targets],
                "skipped": list(level.skipped),
            }
            for level in chain.levels
        ],
        "remind_after_s": chain.remind_after.total_seconds(),
        "unacknowledge_after_s": chain.unacknowledge_after.total_seconds(),
        "notes": list(chain.notes),
    }


def decode_chain(stored: Mapping[str, Any]) -> Chain:
    """Read a chain that `encode_chain` wrote. A missing part counts as no one, with the default times, so that the
    other levels still work."""
    defaults = Chain()
    return Chain(
        levels=tuple(
            ChainLevel(
                level["name"],
                tuple(Target(Channel(channel), address, who) for channel, address, who in level["targets"]),
                timedelta(seconds=level["wait_s"]),
                tuple(level.get("skipped", ())),  # chains of former versions have none
            )
            for level in stored.get("levels", ())
        ),
        remind_after=_seconds(stored, "remind_after_s", defaults.remind_after),
        unacknowledge_after=_seconds(stored, "unacknowledge_after_s", defaults.unacknowledge_after),
        notes=tuple(stored.get("notes", ())),
    )


def _seconds(stored: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    return timedelta(seconds=stored[name]) if name in stored else default
