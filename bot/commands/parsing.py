"""Parses lines as people and phones type them: words, synonyms of verbs, and suggestions for unknown ones. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

from bot.changes import Change
from bot.commands.arguments import read_number
from bot.types import Surface, Verb
from services.domain.errors import UsageError
from services.domain.services import DECLARED, GROUPS, find_service, is_sha

if TYPE_CHECKING:
    from services.domain.incidents import Incident

_NAMES = [service.short for service in DECLARED] + [service.value for service in DECLARED] + [*GROUPS]


def with_service(words: tuple[str, ...], usage: str, incident: Incident | None) -> tuple[str, ...]:
    """Add the incident's service if the verb needs a service, none is typed, and the incident has exactly one.

    A word that may be a mistyped service is left to the verb, which refuses it.
    """
    needs = usage.startswith(("<service>", "<service|"))
    if not needs or incident is None or len(incident.services) != 1 or (words and _may_be_service(words[0])):
        return words
    service = find_service(incident.services[0])
    return (service.short, *words) if service else words


def _may_be_service(word: str) -> bool:
    return bool(get_close_matches(word.lower(), _NAMES, n=1))


_LINK = re.compile(r"<((?:https?|mailto):[^|>]*)(?:\|([^>]*))?>")
_WORD = re.compile(r'"([^"]*)"|\'([^\']*)\'(?=\s|\Z)|(\S+)')
_QUOTES = str.maketrans(
    dict.fromkeys("“”„‟«»", '"') | dict.fromkeys("‘’‚‛", "'") | dict.fromkeys("\u2010\u2011\u2212\ufe63\uff0d", "-")  # noqa: RUF001
)
_LONG_DASH = re.compile(r"(?<!\S)(?:\N{EM DASH}|\N{EN DASH}{1,2}(?=\w\w))")
_SHORT_DASH = re.compile(r"(?<!\S)\N{EN DASH}(?=\w)")


_EMPHASIS = re.compile(r"(?<!\w)([*_])(?=\S)(.{1,200}?)(?<=\S)\1(?!\w)")  # not ~: struck-out text is not meant
_DEEPEST, _EMPHASIZED = 4, 1000  # nested emphasis, characters: a line may have 40,000 stars
_OPENING = re.compile(r"(?:[\s,;:.!]|[-\N{EN DASH}\N{EM DASH}]+(?=\s))+")
_CLOSING = re.compile(r"(?<=\w)\s*[.,;:!?]+\Z")
_TYPED_IN_SLACK = (Surface.SLASH, Surface.MENTION)


def split_words(line: str, surface: Surface) -> list[str]:
    """Split a line into words; quoted ones stay together. Slack's markup is removed, its text kept."""
    line = "".join(character for character in line if unicodedata.category(character) != "Cf")
    if surface in _TYPED_IN_SLACK:
        line = _without_markup(line)
    line = _SHORT_DASH.sub("-", _LONG_DASH.sub("--", line.translate(_QUOTES)))
    return [double or single or bare for double, single, bare in _WORD.findall(line) if double or single or bare]


_QUESTION = re.compile(r"\w[\"'`*_)]*\?(?=[\s\"'`*_.!)?]|\Z)")

# Start of a question that was typed on a phone without a question mark; `why` alone is a command.
_ASKS = re.compile(
    r"[\W_]*(?:(?:what|how|who|where|when|which)(?:'?s|'?re)?|why(?:'?s| is| are| was| were| does| do| did| has| have))"
    r"[^\w\s]*\s+\S+\s+\S",
    re.IGNORECASE,
)


def is_question(line: str) -> bool:
    """True for a question in words: two words or more with a question mark, or three that begin with `what` etc."""
    plain = line.translate(_QUOTES)
    return len(line.split()) > 1 and (_QUESTION.search(plain) or _ASKS.match(plain)) is not None


def join_words(words: Sequence[str]) -> str | None:
    """Return a line that a button splits into the same words; None if there is none."""
    line = " ".join(map(_quoted, words))
    return line if split_words(line, Surface.BUTTON) == list(words) else None


def _quoted(word: str) -> str:
    if not any(character.isspace() for character in word):
        return word
    return f"'{word}'" if '"' in word else f'"{word}"'


def _without_markup(line: str) -> str:
    line = html.unescape(_LINK.sub(lambda link: link[2] or link[1], line)).replace("`", "")
    begins, rest = line[:_EMPHASIZED], line[_EMPHASIZED:]
    for _ in range(_DEEPEST):
        begins = _EMPHASIS.sub(r"\2", begins)
    line = begins + rest
    opening = _OPENING.match(line)
    return _CLOSING.sub("", line[opening.end() if opening else 0 :].rstrip())


# {typed words, as `key` writes them: command}. Reads, and words that can mean nothing else.
SYNONYMS: Mapping[str, str] = {
    # help
    "?": "help",
    "h": "help",
    "commands": "help",
    "man": "help",
    "usage": "help",
    # state and configuration
    "status": "health",
    "state": "health",
    "ping": "health",
    "overview": "home",
    "dashboard": "home",
    "diagnose": "doctor",
    "graph": "history",
    "graphs": "history",
    "chart": "history",
    "trend": "history",
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
    "changes": "runs",
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
    "draft-postmortem": "incident draft",
    "catch-me-up": "catchup",
    "catch-up": "catchup",
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

# Inflected names of a change ("deployed") refer to its outcome; they never mean the change itself.
_INFLECTED = re.compile(r"e?s|[a-z]?e?d|[a-z]?ings?")

_SELF = frozenset({"dragonfly"})  # the bot's own name before the command
_SAYS = re.compile(r"[^\W_]|[?~]")


def key(words: Sequence[str]) -> str:
    """The words as one name: "failed-jobs" for "Failed jobs", "failed_jobs" and "`failed-jobs`."."""
    return "-".join(map(_bare, words))


def without_self(words: Sequence[str]) -> list[str]:
    """Return the words without a leading `dragonfly`, the runbook's `python -m tools.`, or words that are only
    punctuation. A line that is quoted as a whole is split first."""
    if any(map(str.isspace, words[0] if words else "")):
        return without_self([*words[0].split(), *words[1:]])
    if key(words[:2]) == "python-m" and words[2:3] and words[2].startswith("tools."):
        return [words[2].removeprefix("tools."), *words[3:]]
    says_nothing = bool(words) and (_bare(words[0]) in _SELF or not _SAYS.search(words[0]))
    return without_self(words[1:]) if says_nothing else list(words)


def is_inflected(word: str, name: str) -> bool:
    """True if the word is an inflected form of the name: "deployed" of "deploy"."""
    stem = name.removesuffix("e")
    return word != name and word.startswith(stem) and bool(_INFLECTED.fullmatch(word, len(stem)))


def _bare(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word).casefold()
    dashed = "".join("-" if one == "_" or unicodedata.category(one) == "Pd" else one for one in folded)
    bare = _without_ends(dashed).replace("'", "")
    return bare or ("?" if "?" in dashed else dashed)


def _without_ends(word: str) -> str:
    """Strip everything around letters and digits. A loop, because a regular expression would take quadratic time on
    long input."""
    first, last = 0, len(word)
    while first < last and not _is_kept(word[first]):
        first += 1
    while last > first and not _is_kept(word[last - 1]):
        last -= 1
    return word[first:last]


def _is_kept(character: str) -> bool:
    return character.isalnum() or character == "~"


Registry = Mapping[str, Verb]
Match = tuple[Verb, tuple[str, ...]]

READ_CUTOFF, CHANGE_CUTOFF = 0.67, 0.8  # required similarity of a mistyped name (0 to 1); higher for a change
MOST = 3  # suggested lines
MOST_WORDS = 40  # words of a sentence that are searched for a command
_LONGEST = 4  # words of the longest name or synonym
_NO = frozenset({"no", "not", "dont", "never", "without"})


def match(words: Sequence[str], registry: Registry) -> Match | None:
    """Return the command that the first words name, by name or synonym, and the words after it; else None."""
    names = _names(registry)
    for length in range(min(_LONGEST, len(words)), 0, -1):
        name = names.get(key(words[:length]))
        if name is not None:
            return registry[name], tuple(words[length:])
    return None


def suggest(words: Sequence[str], before: Sequence[str], registry: Registry) -> list[str]:
    """List the lines that were probably meant, likeliest first: a mistyped command, or one named within a sentence.

    A change is suggested if its name is almost right or a sentence names it; never for an inflected form ("deployed").
    """
    named = [*_within(words[:MOST_WORDS], registry), *_within(before[-MOST_WORDS:], registry)]
    likeness, mistyped = _mistyped(words, registry)
    found = [*mistyped, *named] if likeness >= CHANGE_CUTOFF or not named else named
    lines = [join_words([*verb.name.split(), *rest]) for verb, rest in found]
    return list(dict.fromkeys(line for line in lines if line))[:MOST]


def _names(registry: Registry) -> dict[str, str]:
    return {**SYNONYMS, **{key(name.split()): name for name in registry}}


def _mistyped(words: Sequence[str], registry: Registry) -> tuple[float, list[Match]]:
    """The command whose name is most similar to the first 1 or 2 words, or begins with them; and the similarity."""
    best: tuple[float, list[Match]] = (0.0, [])
    asks = _asks(key(words[:1]), registry)
    for length in range(1, min(2, len(words)) + 1):
        typed = key(words[:length])
        for known, name in _names(registry).items():
            likeness, verb = _likeness(typed, known), registry[name]
            if likeness > best[0] and likeness >= _cutoff(verb, asks=asks):
                best = likeness, [(verb, tuple(words[length:]))]
    return best


def _likeness(typed: str, known: str) -> float:
    if known.startswith(f"{typed}-"):
        return CHANGE_CUTOFF
    if 2 * min(len(known), len(typed)) < READ_CUTOFF * (len(known) + len(typed)):
        return 0.0  # lengths differ too much: skip the comparison
    return SequenceMatcher(None, known, typed, autojunk=False).ratio()


def _cutoff(verb: Verb, *, asks: bool) -> float:
    if verb.is_read:
        return READ_CUTOFF
    return 1.0 if asks else CHANGE_CUTOFF


def _asks(word: str, registry: Registry) -> bool:
    """True if the word is an inflected name of a change ("rollbacks", "deployed")."""
    changes = {
        part for verb in registry.values() if not verb.is_read for part in (verb.name, key(verb.name.split()[-1:]))
    }
    return any(is_inflected(word, name) for name in changes)


def _within(words: Sequence[str], registry: Registry) -> list[Match]:
    """The commands that a sentence names, with their arguments: only reads if there are any, or if it has a "not"."""
    found = list(_named(words, registry))
    reads = [one for one in found if one[0].is_read]
    if reads or any(key([word]) in _NO for word in words):
        return reads
    return found


def _named(words: Sequence[str], registry: Registry) -> Iterator[Match]:
    for start in range(len(words)):
        found = match(words[start:], registry)
        arguments = found and _arguments(*found)
        if found and arguments is not None:
            yield found[0], arguments


def _arguments(verb: Verb, rest: tuple[str, ...]) -> tuple[str, ...] | None:
    """The words of a sentence that are valid arguments of the verb; None if it needs others."""
    if isinstance(verb, Change):
        return next((rest[:end] for end in range(len(rest), -1, -1) if _fits(verb, rest[:end])), None)
    fitting = tuple(word for word in rest if _is_argument(word, verb.usage))[:1]
    return None if verb.usage.startswith("<") and not fitting else fitting


def _fits(verb: Change, words: tuple[str, ...]) -> bool:
    try:
        verb.parse(words)
    except UsageError:
        return False
    return True


def _is_argument(word: str, usage: str) -> bool:
    """True if the usage takes this word: a service, a number or a commit."""
    kinds = (("service", find_service(word)), ("id", read_number(word)), ("sha", is_sha(word.lower()) or None))
    return any(kind in usage and value is not None for kind, value in kinds)
