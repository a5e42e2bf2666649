"""Checks a model's claims against the lines that were read. A claim that is not proved is dropped. Pure.

`observed` repeats an unbroken part of one line, in the order of that line, and quotes it. `inferred` joins facts of two
lines, or of one of the doctor's findings, and is shown as likely only. `unknown` says what could not be read. What a
claim adds to its lines may only be glue (`words.GLUE`): no number, time, SHA, name, state, quantity or negation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.assistant.evidence import Line, mask_evidence
from bot.assistant.words import GLUE, INFERENCE, NEGATIONS, NOUNS, NUMBERS, UNITS, UNKNOWN
from services.domain.secrets import HIDDEN

MAX_TEXT, MAX_QUOTE, MAX_EVIDENCE, MAX_CLAIMS = 240, 240, 6, 8


class ClaimKind(StrEnum):
    """How a claim is known."""

    OBSERVED = "observed"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Claim:
    """What a model says. `evidence`: ids of lines; `quote`: a part of one of them."""

    kind: ClaimKind
    text: str
    evidence: tuple[str, ...] = ()
    quote: str = ""


@dataclass(frozen=True)
class Proved:
    """A claim that passed, with the lines it rests on, the quoted one first."""

    claim: Claim
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Checked:
    """`dropped`: why each of the other claims was dropped, in our words only."""

    proved: tuple[Proved, ...]
    dropped: tuple[str, ...]


def check(claims: Sequence[Claim], lines: Sequence[Line], *, question: str = "") -> Checked:
    """The claims that hold, each once. `question`: the words of the person, which an unknown may repeat."""
    known = {line.id: line for line in lines}
    proved: dict[str, Proved] = {}
    dropped: list[str] = []
    for claim in claims:
        why = why_dropped(claim, known, question)
        if why is None and claim.text not in proved and len(proved) < MAX_CLAIMS:
            proved[claim.text] = Proved(claim, _lines_of(claim, known))
        else:
            dropped.append(why or "repeated")
    return Checked(tuple(proved.values()), tuple(dropped))


def _lines_of(claim: Claim, known: Mapping[str, Line]) -> tuple[Line, ...]:
    lines = [known[one] for one in dict.fromkeys(claim.evidence)]
    return tuple(sorted(lines, key=lambda line: not claim.quote or not _stands_in(claim.quote, line.text)))


def why_dropped(claim: Claim, known: Mapping[str, Line], question: str = "") -> str | None:
    """None for a claim that holds."""
    if why := _why_malformed(claim):
        return why
    if any(one not in known for one in claim.evidence):
        return "names a line that was not read"
    lines = _lines_of(claim, known)
    if claim.quote and not any(_stands_in(claim.quote, line.text) for line in lines):
        return "quotes what no line says"
    match claim.kind:
        case ClaimKind.OBSERVED:
            return _why_not_observed(claim, lines)
        case ClaimKind.INFERRED:
            return _why_not_inferred(claim, lines)
        case ClaimKind.UNKNOWN:
            return _why_not_unknown(claim, lines, question)


_MARKUP = re.compile(r"[<>@#*~`|\[\]{}\\^]|(?<!\w)_|_(?!\w)|:[a-z0-9_+-]+:")
_LINK = re.compile(r"[a-z]{2,10}:/|/{2}|www\.|\b[\w-]+\.(?:com|org|net|io|dev|app|co|us|example|test|ly|gg|me)\b", re.I)


def _why_malformed(claim: Claim) -> str | None:
    text = claim.text
    if not text.strip() or len(text) > MAX_TEXT or len(claim.quote) > MAX_QUOTE or len(claim.evidence) > MAX_EVIDENCE:
        return "is empty or too long"
    if not text.isprintable() or not text.isascii():
        return "has characters that are not plain text"
    if _MARKUP.search(text):
        return "has markup or a mention"
    return "has a link" if _LINK.search(text) else None


def _why_not_observed(claim: Claim, lines: Sequence[Line]) -> str | None:
    if not claim.quote.strip() or claim.quote.strip() == HIDDEN:
        return "quotes nothing"
    line = lines[0]
    nouns = _nouns(lines)
    stated = content(claim.text, nouns=nouns)
    if not stated:
        return "says nothing"
    if not _is_run_of(stated, content(claim.quote, nouns=nouns)):
        return "says what its quote does not say"
    clause = _clause_around(line.text, claim.quote)
    if not _is_whole(stated, content(clause, nouns=nouns)):
        return "takes a number apart"
    return "leaves out a negation" if _has_negation(clause) and not _has_negation(claim.text) else None


def _why_not_inferred(claim: Claim, lines: Sequence[Line]) -> str | None:
    if len(lines) < 2 and not any(line.is_finding for line in lines):
        return "concludes from one line"
    stated = content(claim.text, nouns=_nouns(lines) | INFERENCE)
    if not stated:
        return "says nothing"
    per_line = [Counter(content(line.text, nouns=frozenset())) for line in lines]
    there: Counter[str] = sum(per_line, Counter())
    if Counter(stated) - there:
        return "says what its lines do not say"
    if not all(any(word in counts for word in stated) for counts in per_line):
        return "names a line that it does not use"
    is_negative = _has_negation(claim.text) or not any(_takes_negated(stated, line) for line in lines)
    return None if is_negative else "leaves out a negation"


def _takes_negated(stated: Sequence[str], line: Line) -> bool:
    """Whether the claim takes words of a clause that negates them."""
    negated = [clause for clause in _CLAUSES.split(line.text) if _has_negation(clause)]
    return any(word in stated for clause in negated for word in content(clause, nouns=frozenset()))


def _why_not_unknown(claim: Claim, lines: Sequence[Line], question: str) -> str | None:
    allowed = UNKNOWN | _nouns(lines) | set(_words(mask_evidence(question)))
    stated = content(claim.text, nouns=allowed)
    there = {word for line in lines for word in content(line.text, nouns=frozenset())}
    if any(word not in there for word in stated):
        return "says what its lines do not say"
    if lines and not any(line.is_unknown for line in lines):
        return "calls unknown what a line says"
    is_stated = any(word in ("unknown", "not", "no", "cannot") or word in NEGATIONS for word in _words(claim.text))
    return None if is_stated else "does not say that it is unknown"


_ATTACHED = r"[\w.,:/%-]"  # within a number or a name


def _stands_in(quote: str, text: str) -> bool:
    """Whether the quote stands there in whole words: "18 waiting" does not stand in "318 waiting"."""
    before = rf"(?<!{_ATTACHED})" if quote[0].isalnum() else ""
    after = r"(?![\w%]|[.,:/-]\w)" if quote[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(quote)}{after}", text) is not None


_CLAUSES = re.compile(r"\s[·—|]\s|;\s|\.\s|,\s|:\s")


def _clause_around(text: str, quote: str) -> str:
    """The quote with the rest of the clauses in which it begins and ends."""
    start = text.find(quote)
    end = start + len(quote)
    begins = [found.end() for found in _CLAUSES.finditer(text) if found.end() <= start]
    ends = [found.start() for found in _CLAUSES.finditer(text) if found.start() >= end]
    return text[max(begins, default=0) : min(ends, default=len(text))]


def _has_negation(text: str) -> bool:
    return any(word in NEGATIONS for word in _words(text))


def _nouns(lines: Iterable[Line]) -> frozenset[str]:
    return frozenset(word for line in lines for word in NOUNS.get(line.source.partition(" ")[0], ()))


def _is_run_of(stated: Sequence[str], there: Sequence[str]) -> bool:
    """Whether the one is an unbroken part of the other."""
    return bool(_places(stated, there))


def _places(stated: Sequence[str], there: Sequence[str]) -> list[int]:
    return [at for at in range(len(there) - len(stated) + 1) if list(there[at : at + len(stated)]) == list(stated)]


def _is_whole(stated: Sequence[str], clause: Sequence[str]) -> bool:
    """Whether it takes "0 of 2" whole: the 2 alone would say something else."""
    return any(not (at and _is_number(stated[0]) and _is_number(clause[at - 1])) for at in _places(stated, clause))


def _is_number(word: str) -> bool:
    return word[:1].isdigit()


_TOKEN = re.compile(r"[^\s()\[\]{}\"!?;…·→—|<>=]+")
_NUMBER_UNIT = re.compile(r"(\d[\d.,]*)(ms|s|min|m|h|d|%)")
_ENDS = ".,:'`*"


def _words(text: str) -> list[str]:
    """Each token in lower case, without what stands around it."""
    found = (token.strip(_ENDS).casefold().removesuffix("'s") for token in _TOKEN.findall(text))
    return [word for word in found if any(map(str.isalnum, word)) or word == "%"]


def content(text: str, *, nouns: frozenset[str] | set[str]) -> list[str]:
    """What a text says, in its order: its words by their stem, its numbers with their unit; without glue."""
    stated: list[str] = []
    for word in _words(text):
        number = NUMBERS.get(word, word).replace(",", "")
        joined = _NUMBER_UNIT.fullmatch(number)
        if joined and joined[2] in UNITS:
            stated.append(f"{joined[1]} {UNITS[joined[2]]}")
        elif word in UNITS and stated and stated[-1].replace(".", "").isdigit():
            stated[-1] = f"{stated[-1]} {UNITS[word]}"
        elif number[:1].isdigit():
            stated.append(number)
        elif word not in GLUE and word not in nouns:
            stated.append(word if any(map(str.isdigit, word)) else _stem(word))
    return stated


_SUFFIXES = ("ings", "ing", "ied", "ies", "ed", "es", "s")
_SHORTEST_STEM = 3


def _stem(word: str) -> str:
    """`beating` and `beats` are `beat`."""
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem != word and len(stem) >= _SHORTEST_STEM:
            return (f"{stem}y" if suffix in ("ied", "ies") else stem).removesuffix("e")
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word
