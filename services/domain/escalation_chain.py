"""The escalation chain: who is paged in which order, frozen into an incident when it opens, and stored with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.domain.channels import Channel

REMIND_AFTER = timedelta(minutes=30)  # an acknowledged incident without activity
UNACKNOWLEDGE_AFTER = timedelta(minutes=10)  # after the reminder


@dataclass(frozen=True)
class Target:
    """One way to one person or group. `address`: a Slack id, or the name of a target in the bot's environment."""

    channel: Channel
    address: str
    who: str


def ways_words(targets: Iterable[Target]) -> str:
    """ "ben by direct message, pager; olivia by mention": each of them once, with every way."""
    ways: dict[str, list[str]] = {}
    for target in targets:
        ways.setdefault(target.who, []).append(target.channel.words)
    return "; ".join(f"{who} by {', '.join(by)}" for who, by in ways.items())


@dataclass(frozen=True)
class ChainLevel:
    """Who was on call at one level when the chain was made, and how long to wait for them. `skipped`: who is on call
    there and cannot be called, in plain words ("ann is deactivated in Slack")."""

    name: str
    targets: tuple[Target, ...]
    wait: timedelta
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """Who is called in which order, as it was at one moment: it is frozen into the incident."""

    levels: tuple[ChainLevel, ...] = ()
    remind_after: timedelta = REMIND_AFTER
    unacknowledge_after: timedelta = UNACKNOWLEDGE_AFTER
    notes: tuple[str, ...] = field(default=())  # what is wrong with it, in plain words

    def level(self, number: int) -> ChainLevel | None:
        """The level to call, counted from 0 and starting again after the last; None when the chain has no one."""
        return self.levels[number % len(self.levels)] if self.levels else None


def encode_chain(chain: Chain) -> dict[str, Any]:
    """JSON-able; `decode_chain` reads it."""
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
    """What `encode_chain` wrote. What it lacks counts as no one, with the usual times, so that it stops no other
    level."""
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
