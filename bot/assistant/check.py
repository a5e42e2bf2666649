"""Checks a model's claims against the lines that were read, and drops those that are not proved. Pure.

A claim consists of whole clauses of its lines, in their order, because a part of a clause can say the opposite of the
whole. `observed` takes them from one line, which it quotes. `inferred` joins clauses of two lines, or of one of the
doctor's findings, and is shown as likely only. `unknown` says what could not be read. Apart from the clauses, only
articles and forms of to be and to have are allowed (`words.GLUE`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import dropwhile

from bot.assistant.evidence import Line, mask_evidence
from bot.assistant.words import GLUE, INFERENCE, NOUNS, NUMBERS, PAST, SCOPE, TENSES, UNITS, UNKNOWN
from services.domain.secret_shapes import HIDDEN
from services.domain.services import DECLARED

MAX_TEXT, MAX_QUOTE, MAX_EVIDENCE, MAX_CLAIMS = 240, 240, 6, 8


class ClaimKind(StrEnum):
    """The kinds of claims, by their proof."""

    OBSERVED = "observed"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Claim:
    """A statement of a model. `evidence`: ids of lines; `quote`: a part of one of them."""

    kind: ClaimKind
    text: str
    evidence: tuple[str, ...] = ()
    quote: str = ""


@dataclass(frozen=True)
class Proved:
    """A claim that passed the check, with the lines that prove it, the quoted one first."""

    claim: Claim
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Checked:
    """The result of the check. `dropped`: why each other claim was dropped, in our own words only."""

    proved: tuple[Proved, ...]
    dropped: tuple[str, ...]


def check(claims: Sequence[Claim], lines: Sequence[Line], *, question: str = "") -> Checked:
    """Check the claims; repeated ones count once. `question`: the person's words, which an unknown may repeat."""
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
    """The lines that the claim cites; for an observed claim, only those that contain its quote."""
    lines = [known[one] for one in dict.fromkeys(claim.evidence)]
    if claim.kind is not ClaimKind.OBSERVED:
        return tuple(lines)
    return tuple(line for line in lines if claim.quote.strip() and _stands_in(claim.quote, line.text))


def why_dropped(claim: Claim, known: Mapping[str, Line], question: str = "") -> str | None:
    """Return why the claim is dropped; None if it is proved."""
    if why := _why_malformed(claim):
        return why
    if any(one not in known for one in claim.evidence):
        return "names a line that was not read"
    lines = _lines_of(claim, known)
    if claim.quote.strip() and not any(_stands_in(claim.quote, known[one].text) for one in claim.evidence):
        return "quotes what no line says"
    match claim.kind:
        case ClaimKind.OBSERVED:
            return _why_not_observed(claim, lines)
        case ClaimKind.INFERRED:
            return _why_not_inferred(claim, lines)
        case ClaimKind.UNKNOWN:
            return _why_not_unknown(claim, lines, question)


_MARKUP = re.compile(r"[<>@#*~`|\[\]{}\\^]|(?<!\w)_|_(?!\w)|:[a-z0-9_+-]+:")
_NOT_STATED = re.compile(r"[?!=\"]|(?<!\S)[.,]+\d")  # a question, an objection, irony; ".5" is not 5
_LINK = re.compile(r"[a-z]{2,10}:/|/{2}|[a-z0-9]\.[a-z]{2,}", re.I)


def _why_malformed(claim: Claim) -> str | None:
    text = claim.text
    if not text.strip() or len(text) > MAX_TEXT or len(claim.quote) > MAX_QUOTE or len(claim.evidence) > MAX_EVIDENCE:
        return "is empty or too long"
    if not text.isprintable() or not text.isascii():
        return "has characters that are not plain text"
    if _MARKUP.search(text):
        return "has markup or a mention"
    if _NOT_STATED.search(text):
        return "is not a plain statement"
    return "has a link" if _LINK.search(text) else None


def _why_not_observed(claim: Claim, lines: Sequence[Line]) -> str | None:
    if not lines or claim.quote.strip() == HIDDEN:
        return "quotes nothing"
    line = lines[0]
    nouns = _nouns([line])
    stated = content(claim.text, nouns=nouns)
    if not stated:
        return "says nothing"
    if stated not in _forms(line, nouns):
        return "does not say what a whole clause of its line says"
    if Counter(stated) - Counter(content(claim.quote, nouns=nouns)) - Counter(_subject(line.text)):
        return "says what its quote does not say"
    return _why_other_tense(claim, [claim.quote])


def _why_not_inferred(claim: Claim, lines: Sequence[Line]) -> str | None:
    if len(lines) < 2 and not any(line.is_finding for line in lines):
        return "concludes from one line"
    nouns = _nouns(lines)
    stated = content(claim.text, nouns=nouns)
    if not set(stated) - _JOINTS:
        return "says nothing"
    if not _is_made_of(stated, [_forms(line, nouns) for line in lines]):
        return "is not made of whole clauses of all its lines"
    return _why_other_tense(claim, [line.text for line in lines])


_PAST_TIME = re.compile(r"\bago\b|\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}", re.I)


def _why_other_tense(claim: Claim, texts: Sequence[str]) -> str | None:
    """Return the fault if the claim changes the tense: "4 were stuck" implies that none is now. The past is allowed for
    the present if a time says so."""
    lost = _tenses(" ".join(texts)) - _tenses(claim.text)
    is_past = set(_words(claim.text)) & PAST and not any(set(_words(one)) & PAST for one in texts)
    return "changes the tense" if lost or (is_past and not _PAST_TIME.search(claim.text)) else None


_JOINTS = frozenset({*INFERENCE, *(word.removesuffix("s") for word in INFERENCE)})


def _is_made_of(stated: Words, per_line: Sequence[Sequence[Words]]) -> bool:
    """True if it consists of clauses and joining words between them, with at least one clause of each line."""
    reached: list[tuple[int, frozenset[int]]] = [(0, frozenset())]
    seen = set(reached)
    while reached:
        at, used = reached.pop()
        if at == len(stated) and len(used) == len(per_line):
            return True
        ways = [(at + 1, used)] if stated[at : at + 1] and stated[at] in _JOINTS else []
        for line, forms in enumerate(per_line):
            ways += [(at + len(one), used | {line}) for one in forms if one and stated[at : at + len(one)] == one]
        reached += [way for way in dict.fromkeys(ways) if way not in seen]
        seen.update(ways)
    return False


_ASKING = r"(?:whether|why|how|what|which|when|where|who)"
_UNKNOWN_SENTENCES = (
    rf"it is (?:unknown|not known)(?: {_ASKING}\b.*)?",
    rf"the (?:reads|lines) (?:do not|don't|cannot) (?:show|tell|say)(?: {_ASKING}\b.*)",
    rf"(?:{_ASKING} .+|(?:(?! (?:is|are|was|were|has|have|had) ).)+) (?:is|are) (?:unknown|not known)",
)
_UNKNOWN_SENTENCE = re.compile(f"(?:{'|'.join(_UNKNOWN_SENTENCES)})", re.I)


def _why_not_unknown(claim: Claim, lines: Sequence[Line], question: str) -> str | None:
    sentence = claim.text.strip().removesuffix(".")
    if not _UNKNOWN_SENTENCE.fullmatch(sentence) or re.search(r"[.,:;!?](?:\s|$)", sentence):
        return "does not only say that something is unknown"
    allowed = UNKNOWN | _nouns(lines) | set(_words(mask_evidence(question)))
    stated = content(claim.text, nouns=allowed)
    there = {word for line in lines for word in content(line.text, nouns=frozenset())}
    if any(word not in there for word in stated):
        return "says what its lines do not say"
    return "calls unknown what a line says" if lines and not any(line.is_unknown for line in lines) else None


_ATTACHED = r"[\w.,:/%-]"  # within a number or a name


def _stands_in(quote: str, text: str) -> bool:
    """True if the text contains the quote in whole words: "318 waiting" does not contain "18 waiting"."""
    before = rf"(?<!{_ATTACHED})" if quote[0].isalnum() else ""
    after = r"(?![\w%]|[.,:/-]\w)" if quote[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(quote)}{after}", text) is not None


Words = tuple[str, ...]


_STATUS = re.compile(r"^\W*(?:ok|wrong|warning|late)\s*:\s*", re.I)  # how a terminal shows a status


def without_status(text: str) -> str:
    """Remove the word that stands for a line's status sign: "wrong: ingest is down" reads like an objection."""
    return _STATUS.sub("", text)


_SENTENCES = re.compile(r"[.!?]\s")
_PARTS = re.compile(r"\s[·—|→]\s|;\s")
_CLAUSES = re.compile(r"[,:]\s")
_MASKED_ACTOR = re.compile(rf"\s*\b(?:by|from) {HIDDEN}\W*\Z")
_TIMES = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?z?|\d{4}-\d{2}-\d{2}")


def _forms(line: Line, nouns: frozenset[str]) -> list[Words]:
    """The parts of a line that a claim may use: neighboring whole clauses, with or without the status and the time
    before them.

    A clause that does not name its service gets the service that the whole line is about.
    """
    status = _STATUS.match(line.text)
    sentences = _clauses(line.text[status.end() if status else 0 :])
    clauses = [(content(clause, nouns=nouns), at, clause) for at, one in enumerate(sentences) for clause in one]
    forms: list[Words] = []
    subject = _subject(line.text)
    for start, (first, sentence, text) in enumerate(clauses):
        is_named = bool(_services_in(" ".join(first)))
        if start and not is_named and ((subject and sentence) or not _MEASURED.search(text)):
            continue  # the subject is ambiguous: "api runs a1b2c3d4 · before it 0ddba110 · removed"
        own = () if is_named else subject
        for end in range(start + 1, len(clauses) + 1):
            if HIDDEN in clauses[end - 1][2]:
                break  # a hidden word may limit its clause
            taken = tuple(word for clause, *_ in clauses[start:end] for word in clause)
            forms += [own + taken, own + _without_time(taken)]
            forms += [content(status[0], nouns=nouns) + taken] if status and start == 0 else []
    return forms


_MEASURED = re.compile(r"\d")


def _clauses(text: str) -> list[list[str]]:
    """Split the text into clauses that can stand alone, per sentence. A sentence with a negation or a condition stays
    whole. Only a hidden actor may be left out: another hidden word may limit its clause ("no … batch failed")."""
    return [[part for one in _PARTS.split(sentence) for part in _parts(one)] for sentence in _SENTENCES.split(text)]


def _parts(text: str) -> list[str]:
    shown = [text] if set(_words(text)) & SCOPE else _CLAUSES.split(text)
    return [_MASKED_ACTOR.sub("", part) for part in shown]


def _subject(text: str) -> Words:
    """The service that the whole line is about: the only one that it names, as its first word after the status."""
    status = _STATUS.match(text)
    first = frozenset(content(text[status.end() if status else 0 :], nouns=frozenset())[:1])
    return tuple(first) if first and _services_in(text) == first else ()


def _services_in(text: str) -> frozenset[str]:
    """The services named in the text, also within a longer name: "api/enforcement" names two."""
    return _SERVICES.intersection(re.findall(r"[a-z]+", text.casefold()))


_SERVICES = frozenset(service.short for service in DECLARED)


def _without_time(taken: Words) -> Words:
    return tuple(dropwhile(_TIMES.fullmatch, taken))


def _tenses(text: str) -> set[str]:
    words = set(_words(text))
    return {name for name, forms in TENSES.items() if words & forms}


def _nouns(lines: Iterable[Line]) -> frozenset[str]:
    return frozenset(word for line in lines for word in NOUNS.get(line.source.partition(" ")[0], ()))


_TOKEN = re.compile(r"[^\s()\[\]{}\"!?;…·→—|<>=]+")
_NUMBER_UNIT = re.compile(r"(\d[\d.,]*)(ms|s|min|m|h|d|%)")
_ENDS = ".,:'`*"


def _words(text: str) -> list[str]:
    """The tokens of the text in lower case, without the marks around them."""
    found = (token.strip(_ENDS).casefold().removesuffix("'s") for token in _TOKEN.findall(text))
    return [word for word in found if any(map(str.isalnum, word)) or word == "%"]


_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")


def content(text: str, *, nouns: frozenset[str] | set[str]) -> Words:
    """Return the content words of a text, in order: words in the singular, numbers with their unit, no glue words."""
    stated: list[str] = []
    for word in _words(text):
        number = NUMBERS.get(word, word)
        number = number.replace(",", "") if _THOUSANDS.fullmatch(number) else number
        joined = _NUMBER_UNIT.fullmatch(number)
        if joined and joined[2] in UNITS:
            stated.append(f"{joined[1]} {UNITS[joined[2]]}")
        elif word in UNITS and stated and stated[-1].replace(".", "").isdigit():
            stated[-1] = f"{stated[-1]} {UNITS[word]}"
        elif number[:1].isdigit():
            stated.append(number)
        elif word not in GLUE and word not in nouns:
            stated.append(word if any(map(str.isdigit, word)) else _stem(word))
    return tuple(stated)


_SHORTEST_STEM = 3


def _stem(word: str) -> str:
    """The singular. Other forms stay: what is recovering has not recovered."""
    stem = word.removesuffix("s")
    return stem if len(stem) >= _SHORTEST_STEM and not stem.endswith("s") else word
