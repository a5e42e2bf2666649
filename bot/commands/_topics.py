"""What one comes to the help with: five topics, and the commands that a few words are about; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.commands._synonyms import SYNONYMS, key
from bot.commands._verbs import Verb

MOST_FOUND = 6


@dataclass(frozen=True)
class Topic:
    """`word`: what one types behind `help`. `names`: its commands, the first ones first; empty: all of them."""

    word: str
    label: str
    names: tuple[str, ...] = ()


TOPICS = (
    Topic(
        "wrong",
        "Something is wrong",
        (
            *("doctor", "health", "logs", "failed-jobs", "incident open", "rollback", "restart", "stop-workers"),
            *("incident ack", "incident escalate", "incident resolve", "why"),
        ),
    ),
    Topic(
        "see",
        "See",
        (
            *("health", "heartbeats", "queue", "failed-jobs", "throughput", "intake", "logs", "deployments", "sha"),
            *("verify", "env", "migrations", "security-audit", "prod-gate", "preflight", "check-config"),
            *("runs", "run", "why", "audit", "policy", "reveal"),
        ),
    ),
    Topic(
        "change",
        "Change",
        (
            *("rollback", "restart", "redeploy", "scale", "deploy", "requeue", "unlock", "golden-path", "rollback-db"),
            *("stop-workers", "runs", "approve", "deny", "cancel", "review", "start-alone"),
        ),
    ),
    Topic(
        "people",
        "On call",
        (
            *("oncall", "oncall override", "oncall take", "incident", "incident open", "incident ack"),
            "incident escalate",
            *("incident severity", "incident resolve", "incident timeline", "incident export"),
            *("silence", "silences", "drill"),
        ),
    ),
    Topic("all", "All"),
)

_WORD = re.compile(r"[a-z0-9]+")
_EMPTY = frozenset(  # words that tell nothing of what is asked
    _WORD.findall(
        "a an and are at be by can do does for from get have how i in is it its me my of on or our please see show "
        "tell that the there this to us was we what when where which who why will with you your"
    )
)


def find_topic(words: Sequence[str]) -> Topic | None:
    """The topic of this word, or of this label ("something is wrong")."""
    typed = key(words)
    return next((topic for topic in TOPICS if typed in (topic.word, key(topic.label.split()))), None)


def search(words: Sequence[str], registry: Mapping[str, Verb]) -> list[Verb]:
    """The commands whose names, synonyms or summaries have the most of these words, best first."""
    asked = set(_WORD.findall(" ".join(words).lower()))
    telling = {_stem(word) for word in asked - _EMPTY}
    scored = [(_score(telling, asked, verb), verb) for verb in registry.values()]
    best = max((score for score, _ in scored), default=0)
    found = sorted((one for one in scored if one[0] and one[0] * 2 >= best), key=lambda one: -one[0])
    return [verb for _, verb in found[:MOST_FOUND]]


def _score(telling: set[str], asked: set[str], verb: Verb) -> int:
    """A whole synonym is worth most ("who is on call"); every word counts, one of a name a little more."""
    names = [verb.name, *(synonym for synonym, name in SYNONYMS.items() if name == verb.name)]
    whole = sum(len(parts) > 1 and parts <= asked for parts in (set(_WORD.findall(name)) for name in names))
    named, told = telling & _stems(" ".join(names)), telling & _stems(verb.summary)
    return 10 * whole + 2 * len(named | told) + len(named)


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in set(_WORD.findall(text.lower())) - _EMPTY}


def _stem(word: str) -> str:
    return word.removesuffix("s")
