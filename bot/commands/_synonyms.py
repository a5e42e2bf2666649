"""What people type instead of a command's name, and how a name is recognized however it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

# What is typed, as `key` makes it: the command that is meant. Reads, and what cannot be taken for anything else.
SYNONYMS: Mapping[str, str] = {
    # help
    "?": "help",
    "h": "help",
    "commands": "help",
    "man": "help",
    "usage": "help",
    # how things are
    "status": "health",
    "state": "health",
    "ping": "health",
    "overview": "home",
    "dashboard": "home",
    "diagnose": "doctor",
    "workers": "heartbeats",
    "beats": "heartbeats",
    "heartbeat": "heartbeats",
    "version": "sha",
    "versions": "sha",
    "commit": "sha",
    "commits": "sha",
    "log": "logs",
    "deploys": "deployments",
    "deployment": "deployments",
    "vars": "env",
    "variables": "env",
    "config": "check-config",
    "migration-status": "migrations",
    "migration": "migrations",
    "audit-log": "audit",
    "security": "security-audit",
    # jobs
    "failed": "failed-jobs",
    "failures": "failed-jobs",
    "failed-job": "failed-jobs",
    "jobs": "queue",
    "backlog": "queue",
    "batches": "intake",
    "uploads": "intake",
    # incidents and people
    "incidents": "incident",
    "ack": "incident ack",
    "acknowledge": "incident ack",
    "incident-acknowledge": "incident ack",
    "escalate": "incident escalate",
    "resolve": "incident resolve",
    "severity": "incident severity",
    "timeline": "incident timeline",
    "export": "incident export",
    "postmortem": "incident export",
    "post-mortem": "incident export",
    "incident-postmortem": "incident export",
    "page": "incident open",
    "on-call": "oncall",
    "who-is-on-call": "oncall",
    "whos-on-call": "oncall",
    "who-is-oncall": "oncall",
    "override": "oncall override",
    "mute": "silence",
    "snooze": "silence",
    # changes
    "approvals": "runs",
    "pending": "runs",
    "roll-back": "rollback",
    "revert": "rollback",
    "stop-worker": "stop-workers",
}

# Of a change these tell or ask what became of it: they never mean the change itself.
_INFLECTED = re.compile(r"e?s|[a-z]?e?d|[a-z]?ings?")

_SELF = frozenset({"dragonfly"})  # the bot's own name before the command
_SAYS = re.compile(r"[^\W_]|[?~]")


def key(words: Sequence[str]) -> str:
    """The words as one name: "Failed jobs", "failed_jobs" and "`failed-jobs`." are "failed-jobs"."""
    return "-".join(map(_bare, words))


def without_self(words: Sequence[str]) -> list[str]:
    """The words without what calls the bot: `dragonfly`, or the runbook's own `python -m tools.`. Without what only
    looks like something before them; a line that is quoted as a whole is in words too."""
    if any(map(str.isspace, words[0] if words else "")):
        return without_self([*words[0].split(), *words[1:]])
    if key(words[:2]) == "python-m" and words[2:3] and words[2].startswith("tools."):
        return [words[2].removeprefix("tools."), *words[3:]]
    says_nothing = bool(words) and (_bare(words[0]) in _SELF or not _SAYS.search(words[0]))
    return without_self(words[1:]) if says_nothing else list(words)


def is_inflected(word: str, name: str) -> bool:
    """Whether `deployed` is said of `deploy`."""
    stem = name.removesuffix("e")
    return word != name and word.startswith(stem) and bool(_INFLECTED.fullmatch(word, len(stem)))


def _bare(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    dashed = "".join("-" if one == "_" or unicodedata.category(one) == "Pd" else one for one in folded)
    bare = _without_ends(dashed).replace("'", "")
    return bare or ("?" if "?" in dashed else dashed)


def _without_ends(word: str) -> str:
    """Without what stands around letters and digits; a loop, because a pattern would look at a long run again and
    again."""
    first, last = 0, len(word)
    while first < last and not _counts(word[first]):
        first += 1
    while last > first and not _counts(word[last - 1]):
        last -= 1
    return word[first:last]


def _counts(character: str) -> bool:
    return character.isalnum() or character == "~"
