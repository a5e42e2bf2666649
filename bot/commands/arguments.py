"""Parses the arguments that several commands take, and the parameters of changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import partial
from typing import NoReturn
from zoneinfo import ZoneInfo

from bot.types import Request, Surface
from bot.views.text import code
from services.domain import windows
from services.domain.errors import UsageError
from services.domain.masking import mask_message
from services.domain.moments import EXAMPLES, MomentError, take_moment
from services.domain.services import DECLARED, GROUPS, Service, find_service, is_sha
from services.domain.systems import System
from services.domain.text import age, read_span
from services.domain.windows import Written

MAX_DIGITS = 15  # far below the largest bigint of the database
USER = re.compile(r"<?@?([UW][A-Z0-9]{2,})(?:\|[^>]*)?>?\Z")  # a person as Slack writes them in a command, or an id


class ServiceNameError(UsageError):
    """An unknown or missing service name. `of(services)` makes the same error with these services listed."""

    def __init__(self, of: Callable[[Collection[Service]], UsageError]) -> None:
        error = of(DECLARED)
        super().__init__(error.what, why=error.why, what_next=error.what_next, instead=error.instead)
        self.of = of


def _is_unknown(word: str, services: Collection[Service]) -> UsageError:
    names = [service.short for service in services] + [service.value for service in services]
    meant = next(iter(get_close_matches(word.strip().lower(), names, n=1)), None)
    hint = f"Did you mean `{meant}`? " if meant else ""
    return wrong_word(word, "is not a service", f"{hint}Services are {listed(services)}.", meant=meant)


def _is_missing(example: str, services: Collection[Service]) -> UsageError:
    return UsageError(
        "Which service?",
        why="this command needs one",
        what_next=f"Name one of {listed(services)}, for example `{example}`.",
    )


def parse_service(word: str) -> Service:
    """Return the service of any system with this full or short name. Raises ServiceNameError."""
    service = find_service(word)
    if service is None:
        raise ServiceNameError(partial(_is_unknown, word))
    return service


def wants_all(words: Sequence[str]) -> bool:
    """True if the words are `all`, which unfolds the answer. Raises UsageError for any other word."""
    if not words:
        return False
    no_more(words, 1)
    if words[0].lower().lstrip("-") != "all":
        raise wrong_word(words[0], "is not expected here", "Write `all` to see every finding, or leave it out.")
    return True


def parse_user(word: str, usage: str) -> str:
    """Return a person's Slack id. `usage`: the sentence of the error that shows what to write. Raises UsageError."""
    user = USER.match(word)
    if user is None:
        how = "Pick them from Slack's list; on a terminal, write their id, which begins with U."
        raise wrong_word(word, "is not a person", f"{how} {usage}")
    return user[1]


def need_service(words: Sequence[str], example: str) -> Service:
    """Return the service that the first word names. The example ("logs ingest") is for the error without a word."""
    if not words:
        raise ServiceNameError(partial(_is_missing, example))
    return parse_service(words[0])


def parse_window(words: Sequence[str], *, default: timedelta, largest: timedelta) -> timedelta:
    """Parse a span such as `90s`, `10m`, `10 min`, `1hr`, `2 hours` or `2d`, from 1 s to `largest`."""
    if not words:
        return default
    window, rest = take_window(words, largest=largest)
    if rest:
        raise wrong_word(rest[0], "is not expected here", "This command takes a time span after its name.")
    return window


def take_window(words: Sequence[str], *, largest: timedelta) -> tuple[timedelta, Sequence[str]]:
    """Return the span at the start of the words (one word or two), and the words after it. Raises UsageError."""
    length = 2 if read_span(" ".join(words[:2])) and not read_span(words[0]) else 1
    written = " ".join(words[:length])
    window = read_span(written)
    if window is None:
        what_next = "Write a number and a unit: `90s`, `10m`, `2 hours` or `2d`."
        raise wrong_word(" ".join(words[:2]), "is not a time span", what_next)
    if not timedelta(seconds=1) <= window <= largest:
        raise wrong_word(written, "is out of range", f"Use 1 s to {age(largest)}.")
    return window, words[length:]


def take_when(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[Written, Sequence[str]]:
    """Return the window at the start of the words, in the time zone of the person who typed them, and the words after.

    Raises UsageError for words that look like a time but are none.
    """
    try:
        return windows.take_window(words, now, zone)
    except MomentError as error:
        raise wrong_word(error.word, error.why, error.what_next) from None


def parse_window_and_service(
    words: Sequence[str], *, default: timedelta, largest: timedelta
) -> tuple[timedelta, Service | None]:
    """Parse a time span and a service, in any order; both are optional. Raises UsageError."""
    rest, window = list(words), default
    for place in range(len(rest)):
        if read_span(rest[place]):
            window, after = take_window(rest[place:], largest=largest)
            rest = [*rest[:place], *after]
            break
    no_more(rest, 1)
    return window, parse_service(rest[0]) if rest else None


def need_moment(
    words: Sequence[str], now: datetime, zone: ZoneInfo, *, day_ends: bool = False
) -> tuple[datetime, Sequence[str]]:
    """Return the moment at the start of the words, in the time zone of the person who typed them, and the words after.

    `day_ends`: a day without a time means its end. Raises UsageError for other words.
    """
    try:
        found = take_moment(words, now, zone, day_ends=day_ends)
    except MomentError as error:
        raise wrong_word(error.word, error.why, error.what_next) from None
    if found is None:
        raise wrong_word(words[0] if words else "", "is not a time", f"Write {EXAMPLES}.")
    return found


def parse_sha(word: str, *, fewest: int = 7) -> str:
    """Parse a commit SHA to lower case. `fewest`: the number of characters that the error asks for."""
    sha = word.lower()
    if not is_sha(sha):
        raise wrong_word(
            word, "is not a commit SHA", f"Write {fewest} to 40 characters of 0-9 and a-f, as `git log` shows them."
        )
    return sha


def parse_count(word: str, *, largest: int) -> int:
    """Parse a whole number from 1 to `largest`. Raises UsageError."""
    if not (word.isascii() and word.isdigit() and len(word) <= 9 and 1 <= int(word) <= largest):
        raise wrong_word(word, "is not a number in range", f"Use 1 to {largest}.")
    return int(word)


def read_number(word: str) -> int | None:
    """Parse the number of a run, an incident or a silence, with or without `#`; None for any other word."""
    digits = word.removeprefix("#")
    fits = digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS and int(digits) > 0
    return int(digits) if fits else None


def take_raw(request: Request) -> tuple[list[str], bool]:
    """Return the words without `--raw`, and True if it was there. UsageError in Slack, since it shows personal data."""
    words = [word for word in request.words if word != "--raw"]
    is_raw = len(words) < len(request.words)
    if is_raw and request.surface is not Surface.TERMINAL:
        raise wrong_word("--raw", "is for the terminal only", "Run it there with `dragonfly` in front.")
    return words, is_raw


def no_more(words: Sequence[str], most: int) -> None:
    """Raise UsageError for words beyond the first `most`; an extra word is never ignored."""
    if len(words) > most:
        takes = "no words" if most == 0 else f"at most {most} word{'s' if most > 1 else ''}"
        raise wrong_word(words[most], "is not expected here", f"This command takes {takes} after its name.")


def wrong_word(word: str, problem: str, what_next: str, *, meant: str | None = None) -> UsageError:
    """Make the error for one invalid word. `meant`: the word that was probably meant."""
    why = f"{code(word, limit=80)} {problem}"
    return UsageError("Nothing was done", why=why, what_next=what_next, instead=(word, meant) if meant else None)


def listed(services: Iterable[Service]) -> str:
    """Short names for a sentence: "`api`, `ingest`"."""
    return ", ".join(f"`{service.short}`" for service in services)


def refuse_foreign(word: str, system: System) -> NoReturn:
    """Raise UsageError for a service that belongs to another system than the operated one."""
    raise is_foreign(parse_service(word), system.services)


def is_foreign(service: Service, services: Iterable[Service]) -> UsageError:
    """Make the error for a service that is not among `services`."""
    return UsageError(
        "Nothing was done",
        why=f"this system has no {service.short}",
        what_next=f"Services are {listed(services)}.",
    )


REASON_LIMIT = 300


def parse_services(words: Sequence[str], example: str) -> str:
    """Return a service's short name, `workers` or `all`. The example ("rollback api") is for the error."""
    if not words:
        return need_service(words, example).short
    word = words[0].lower()
    return word if word in GROUPS else parse_service(word).short


def example_of(example: str, service: str) -> str:
    """The example with the service that was typed, by its short name, so that it can be copied as it is."""
    verb, _, *rest = example.split(" ")
    return " ".join([verb, service, *rest])


def parse_reason(words: Sequence[str], example: str, *, called: str = "reason") -> str:
    """Return the words as one sentence with sensitive data masked, because everyone reads it. Raises UsageError if it
    is empty or too long. `called`: its name in the usage, for the error."""
    reason = mask_message(" ".join(words))
    if not reason:
        raise UsageError("Nothing was done", why=f"the {called} is missing", what_next=f"Write `{example}`.")
    if len(reason) > REASON_LIMIT:
        why = f"the {called} has {len(reason)} characters"
        raise UsageError("Nothing was done", why=why, what_next=f"Shorten it to at most {REASON_LIMIT}.")
    return reason


def only(parameters: Mapping[str, str], *names: str) -> None:
    """Raise UsageError for a parameter that the change does not take: it would be approved but ignored."""
    for name in parameters:
        if name not in names:
            raise wrong_word(name, "is not a parameter of this change", f"It takes {', '.join(names)}.")


def need(parameters: Mapping[str, str], name: str) -> str:
    """Return the parameter's stripped text. Raises UsageError if it is missing."""
    value = parameters.get(name, "").strip()
    if not value:
        raise UsageError("Nothing was done", why=f"`{name}` is missing", what_next="`help` shows what to write.")
    return value


def read_service(parameters: Mapping[str, str], system: System) -> Service:
    """Return the system's service that the parameter `service` names. Raises UsageError."""
    word = need(parameters, "service")
    parse_service(word)
    return system.find_service(word) or refuse_foreign(word, system)


def read_services(parameters: Mapping[str, str], system: System) -> tuple[str, tuple[Service, ...]]:
    """Return the word for the services (one, `workers` or `all`), as written in a plan, and the services."""
    word = parse_services((need(parameters, "service"),), "")
    return word, system.find_services(word) or (refuse_foreign(word, system),)


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    """True if the flag is set: its value is "yes". Raises UsageError for other values."""
    value = parameters.get(name, "")
    if value not in ("", "yes"):
        raise wrong_word(value, f"is not a value of {name}", "Write `yes`, or leave it out.")
    return value == "yes"


def read_reason(parameters: Mapping[str, str], example: str = "") -> str:
    """Return the parameter `reason` as one line. Raises UsageError if it is empty."""
    return parse_reason(parameters.get("reason", "").split(), example)
