"""Which command a line names, and which ones were probably meant when it names none; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from bot.commands._arguments import read_number
from bot.commands._synonyms import SYNONYMS, is_inflected, key
from bot.commands._verbs import Change, Verb
from bot.commands._words import join_words
from services.domain.errors import UsageError
from services.domain.services import find_service
from services.domain.sha import is_sha

Registry = Mapping[str, Verb]
Match = tuple[Verb, tuple[str, ...]]

READ_CUTOFF, CHANGE_CUTOFF = 0.67, 0.8  # how alike a mistyped name has to be; a change is not guessed at
MOST = 3  # lines that are offered
MOST_WORDS = 40  # of a sentence in which a command is looked for
_LONGEST = 4  # words of the longest name or synonym
_NO = frozenset({"no", "not", "dont", "never", "without"})


def match(words: Sequence[str], registry: Registry) -> Match | None:
    """The command that the first words name, by its name or a synonym, and the words after it."""
    names = _names(registry)
    for length in range(min(_LONGEST, len(words)), 0, -1):
        name = names.get(key(words[:length]))
        if name is not None:
            return registry[name], tuple(words[length:])
    return None


def suggest(words: Sequence[str], before: Sequence[str], registry: Registry) -> list[str]:
    """The lines that were probably meant, likeliest first: a mistyped command, or one named within a sentence.

    A change is offered when its name was mistyped by little or a sentence names it; never for a word that asks what is.
    """
    named = [*_within(words[:MOST_WORDS], registry), *_within(before[-MOST_WORDS:], registry)]
    likeness, mistyped = _mistyped(words, registry)
    found = [*mistyped, *named] if likeness >= CHANGE_CUTOFF or not named else named
    lines = [join_words([*verb.name.split(), *rest]) for verb, rest in found]
    return list(dict.fromkeys(line for line in lines if line))[:MOST]


def _names(registry: Registry) -> dict[str, str]:
    return {**SYNONYMS, **{key(name.split()): name for name in registry}}


def _mistyped(words: Sequence[str], registry: Registry) -> tuple[float, list[Match]]:
    """The command whose name is nearest to the first word or two, or begins with it, and how near it is (0 to 1)."""
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
        return 0.0  # too long or too short to be alike: nobody waits for the comparison
    return SequenceMatcher(None, known, typed, autojunk=False).ratio()


def _cutoff(verb: Verb, *, asks: bool) -> float:
    if verb.is_read:
        return READ_CUTOFF
    return 1.0 if asks else CHANGE_CUTOFF


def _asks(word: str, registry: Registry) -> bool:
    """Whether the word asks what became of a change ("rollbacks", "deployed")."""
    changes = {
        part for verb in registry.values() if not verb.is_read for part in (verb.name, key(verb.name.split()[-1:]))
    }
    return any(is_inflected(word, name) for name in changes)


def _within(words: Sequence[str], registry: Registry) -> list[Match]:
    """The commands that a sentence names, reads first, with those words after them that are arguments."""
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
    """The words of a sentence that the verb can be run with; None when it needs others."""
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
    """Whether the usage has a place for this word: a service, a number, a commit."""
    kinds = (("service", find_service(word)), ("id", read_number(word)), ("sha", is_sha(word.lower()) or None))
    return any(kind in usage and value is not None for kind, value in kinds)
