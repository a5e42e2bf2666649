"""Reads a policy file into approval rules; its errors name the line.

A file with one mistake is not used at all: a rule that is left out may be the one that denies.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.config.behavior import PeopleSettings
from bot.config.fields import Fault, Invalid
from bot.config.policy import ANYBODY, ARGUMENTS, DIRECT, LIMITED, MACHINE, VERBS, Limit, Policy, Right, Rule
from bot.config.toml_lines import TomlLines, decode_toml
from services.domain.environments import NAMES
from services.domain.incidents import IncidentSeverity
from services.domain.moments import read_clock
from services.domain.services import DECLARED, Service, find_service
from services.domain.windows import Recurrence, WallEnd, take_days

DEFAULT = Path(__file__).with_name("policy.toml")
GROUP = "policy"  # the name of this file among the groups of settings
VERSION = 1
MIN_EXPIRY_S, MAX_EXPIRY_S = 1, 24 * 3600  # with a longer time, people would approve requests that they forgot

_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}\Z")
_MACHINE_ID = re.compile(rf"{MACHINE}:[a-z0-9][a-z0-9-]{{0,31}}\Z")
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,}\Z")
_LIMIT = re.compile(r"([a-z_]+) *(<=|>=|<|>) *(\d{1,6})", re.ASCII)
_HOURS = re.compile(r"(\S+(?: and \S+)*) +([\d:]+)-([\d:]+|midnight)(?: +(\S+))?", re.ASCII)
_RULE_KEYS = frozenset(
    {"may", "who", "verbs", "services", "environments", "channels", "arguments", "hours", "severity"}
)
_TOP_KEYS = frozenset({"version", "expires_after_s", "allow", "deny"})

T = TypeVar("T")


def load_policy(people: PeopleSettings | Invalid, path: Path | None = None) -> Policy | Invalid:
    """The policy of this file, the default without one. Malformed lists of people make it unusable too."""
    if isinstance(people, Invalid):
        return people
    path = path or people.policy_path or DEFAULT
    name = path.name if path == DEFAULT else str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
        return _invalid(Fault(f"DRAGONFLY_POLICY {name}", problem, "correct the path, or remove the variable"))
    return read_policy(content, name, people)


def policy_faults(people: PeopleSettings | Invalid) -> tuple[Fault, ...]:
    """The faults of the policy's file; faults of the lists of people are the settings' own."""
    policy = load_policy(people)
    return policy.faults if isinstance(policy, Invalid) and policy.group == GROUP else ()


def read_policy(content: bytes, name: str, people: PeopleSettings) -> Policy | Invalid:
    """Parse a file's content as a policy; `name` is the file's name in faults. Reports all faults at once."""
    try:
        text = decode_toml(content)
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return _invalid(Fault(name, f"is not TOML: {error}", "correct that line"))
    reader = _Reader(name, text, people)
    policy = reader.read(document, hashlib.sha256(content).hexdigest())
    return _invalid(*reader.faults) if reader.faults else policy


def _invalid(*faults: Fault) -> Invalid:
    return Invalid(GROUP, faults)


class _Reader:
    """Reads one document and collects its faults."""

    def __init__(self, name: str, text: str, people: PeopleSettings) -> None:
        self.faults: list[Fault] = []
        self._name = name
        self._lines = TomlLines(text)
        self._lists = {"operators": people.operators, "approvers": people.approvers}

    def read(self, document: Mapping[str, Any], file_hash: str) -> Policy:
        for key in document.keys() - _TOP_KEYS:
            self._refuse(self._lines.find(key), f"`{key}` is not a key of a policy", f"use {_listed(_TOP_KEYS)}")
        if document.get("version") != VERSION:
            self._refuse(self._lines.find("version"), f"`version` is not {VERSION}", f"write `version = {VERSION}`")
        rules = tuple(rule for kind in ("deny", "allow") for rule in self._read_rules(kind, document.get(kind, [])))
        return Policy(rules, self._read_expiry(document.get("expires_after_s", 900)), file_hash)

    def _read_expiry(self, value: object) -> timedelta:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and MIN_EXPIRY_S <= value <= MAX_EXPIRY_S
        if fits and isinstance(value, int | float):
            return timedelta(seconds=value)
        limits = f"seconds between {MIN_EXPIRY_S} and {MAX_EXPIRY_S}"
        self._refuse(self._lines.find("expires_after_s"), f"`expires_after_s` is not {limits}", "write 900")
        return timedelta(0)

    def _read_rules(self, kind: str, tables: object) -> Iterable[Rule]:
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._refuse(
                self._lines.find(kind), f"`{kind}` is not a list of rules", f"write [[{kind}]] above each rule"
            )
            return
        for index, table in enumerate(tables):
            rule = self._read_rule(kind, table, index)
            if rule is not None:
                yield rule

    def _read_rule(self, kind: str, table: Mapping[str, Any], index: int) -> Rule | None:
        before, place = len(self.faults), (kind, index)
        for key in table.keys() - _RULE_KEYS:
            self._refuse(self._lines.find(*place, key), f"`{key}` is not a key of a rule", f"use {_listed(_RULE_KEYS)}")
        may, denies = table.get("may"), kind == "deny"
        if may not in tuple(Right):
            self._refuse(self._lines.find(*place, "may"), "`may` is neither request nor approve", 'write "request"')
        line = self._lines.find(*place, "who")
        who = self._read_who(table.get("who"), line, denies=denies)
        if may == Right.APPROVE and not denies and any(one.startswith(f"{MACHINE}:") for one in who):
            self._refuse(line, "`who` names a machine, and machines approve nothing", "name people")
        verbs = self._read_set("verbs", table, place, _find_verb)
        services = self._read_set("services", table, place, _find_services)
        environments = self._read_set("environments", table, place, _find_environment)
        channels = self._read_set("channels", table, place, _find_channel)
        if channels is not None and may != Right.REQUEST:
            where = self._lines.find(*place, "channels")
            self._refuse(where, "`channels` is for requests only", 'write may = "request"')
        arguments = self._read_list("arguments", table, place, read_limit)
        if arguments is not None and (verbs is None or not verbs <= LIMITED):
            where = self._lines.find(*place, "arguments")
            self._refuse(where, "`arguments` is for `scale` only", 'write verbs = ["scale"]')
        hours = self._read_list("hours", table, place, read_hours)
        severities = self._read_set("severity", table, place, _find_severity)
        if len(self.faults) > before:
            return None
        line = self._lines.find(*place)
        named = f"line {line}" if line else kind
        return Rule(
            *(denies, Right(str(may)), who, verbs, services, environments, named),
            channels=channels,
            arguments=arguments,
            hours=hours,
            severities=severities,
        )

    def _read_list(
        self, key: str, table: Mapping[str, Any], place: tuple[str, int], read: Callable[[str], T | str]
    ) -> tuple[T, ...] | None:
        """The meaning of each word, in order; None without the key."""
        if key not in table:
            return None
        line, found = self._lines.find(*place, key), list[T]()
        for word in self._words(key, table[key], line):
            meant = read(word)
            if isinstance(meant, str):
                self._refuse(line, f"`{key}` has {_quoted(word)}, which is not understood", meant)
            else:
                found.append(meant)
        return tuple(found)

    def _read_who(self, value: object, line: int | None, *, denies: bool) -> frozenset[str]:
        """The ids that the words stand for. An empty list allows no one and denies no one."""
        people: set[str] = set()
        for word in self._words("who", value, line):
            if word in self._lists:
                people.update(self._lists[word])
            elif (word == ANYBODY and denies) or _SLACK_ID.match(word) or _MACHINE_ID.match(word):
                people.add(word)
            else:
                self._refuse(line, f"`who` names {_quoted(word)}, which is not a Slack id", _WHO_NEXT)
        return frozenset(people)

    def _read_set(
        self, key: str, table: Mapping[str, Any], place: tuple[str, int], find: Callable[[str], frozenset[T] | str]
    ) -> frozenset[T] | None:
        """The meanings of the words; None, which matches everything, without the key."""
        if key not in table:
            return None
        line, found = self._lines.find(*place, key), set[T]()
        for word in self._words(key, table[key], line):
            meant = find(word)
            if isinstance(meant, str):
                self._refuse(line, f"`{key}` names {_quoted(word)}, which does not exist", meant)
            else:
                found |= meant
        return frozenset(found)

    def _words(self, key: str, value: object, line: int | None) -> list[str]:
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return value
        self._refuse(line, f"`{key}` is not a list of words", f'write {key} = ["…"]')
        return []

    def _refuse(self, line: int | None, problem: str, what_next: str) -> None:
        self.faults.append(Fault(f"{self._name}{f' line {line}' if line else ''}", f"{problem}", what_next))


_WHO_NEXT = 'write a user id (U…), a group id (S…), "operators" or "approvers"; "*" in a deny only'


def _find_verb(word: str) -> frozenset[str] | str:
    return frozenset({word}) if word in VERBS else _nearest(word, VERBS)


def _find_services(word: str) -> frozenset[Service] | str:
    if word == "workers":
        return frozenset(service for service in DECLARED if service.worker_type is not None)
    service = find_service(word)
    return frozenset({service}) if service else _nearest(word, [*(service.short for service in DECLARED), "workers"])


def _find_environment(word: str) -> frozenset[str] | str:
    return frozenset({word}) if word in NAMES else _nearest(word, NAMES)


def _find_channel(word: str) -> frozenset[str] | str:
    """Channel names can be reassigned, so only ids count."""
    return frozenset({word}) if word == DIRECT or _CHANNEL_ID.match(word) else f"use ids (C…, G…) or {DIRECT}"


def _find_severity(word: str) -> frozenset[IncidentSeverity] | str:
    names = tuple(IncidentSeverity)
    return frozenset({IncidentSeverity(word)}) if word in names else _nearest(word, names)


def read_limit(word: str) -> Limit | str:
    """Parse "replicas <= 3"; returns advice for text in another format."""
    found = _LIMIT.fullmatch(word.strip())
    if found is None or found[1] not in ARGUMENTS:
        return 'write "replicas <= 3", with <=, >=, < or >'
    return Limit(found[1], found[2], int(found[3]))


def read_hours(word: str) -> Recurrence | str:
    """Parse "mon-fri 09:00-17:00 Europe/Berlin"; UTC without a zone. Returns advice for text in another format."""
    found, what_next = _HOURS.fullmatch(word.strip()), 'write "mon-fri 09:00-17:00", with a zone such as Europe/Berlin'
    days = take_days(found[1].split()) if found else None
    begins, ends = (read_clock(found[2]), read_clock(found[3])) if found else (None, None)
    if found is None or days is None or days[1] or not days[0] or begins is None or ends is None:
        return what_next
    try:
        zone = ZoneInfo(found[4] or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return what_next
    return Recurrence(days[0], begins, WallEnd(0 if ends > begins else 1, ends), zone)


def _nearest(word: str, names: Iterable[str]) -> str:
    names = list(names)
    meant = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"write `{meant[0]}`" if meant else f"use {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _quoted(word: str) -> str:
    """A word of the file, made harmless and short: faults are shown in Slack."""
    return f"`{re.sub(r'[^A-Za-z0-9_.*-]', '?', word)[:40]}`"
