"""Reads `alerts.toml`: thresholds and severities of the alert rules, with line numbers in its errors.

A file holds only the differences from `bot/config/alerts.toml`. A file with a mistake is not used at all: people would
rely on a limit that is not in force.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from bot.config.alerts import DECLARED_RULES, DEFAULT, AlertRules
from bot.config.behavior import AlertSettings
from bot.config.fields import Fault, Invalid
from bot.config.toml_lines import decode_toml

GROUP = "rules"  # the name of this file among the groups of settings


def load_rules(settings: AlertSettings | Invalid) -> AlertRules | Invalid:
    """The rules of the file that the settings name, the defaults without one."""
    path = None if isinstance(settings, Invalid) else settings.rules_path
    if path is None:
        return default_rules()
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
        return _invalid(Fault(f"DRAGONFLY_ALERTS {path}", problem, "correct the path, or remove the variable"))
    return read_rules(content, str(path))


def usable_rules(settings: AlertSettings | Invalid) -> AlertRules:
    """The rules, or the defaults if the file cannot be used: alerts with other limits are better than none."""
    rules = load_rules(settings)
    return default_rules() if isinstance(rules, Invalid) else rules


def rule_faults(settings: AlertSettings | Invalid) -> tuple[Fault, ...]:
    """The faults of the file."""
    rules = load_rules(settings)
    return rules.faults if isinstance(rules, Invalid) else ()


def default_rules() -> AlertRules:
    """The rules of `bot/config/alerts.toml`."""
    return DEFAULT


def read_rules(content: bytes, name: str) -> AlertRules | Invalid:
    """Parse a file's content, merged over the defaults; `name`: the file's in faults. Reports all faults at once."""
    try:
        text = decode_toml(content)
        given = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return _invalid(Fault(name, f"is not TOML: {error}", "correct that line"))
    unknown = [_unknown(name, text, place) for place in _unknown_keys(given, DECLARED_RULES)]
    if unknown:
        return _invalid(*unknown)
    try:
        return AlertRules.model_validate(_over(DECLARED_RULES, given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        in_order = sorted(found, key=lambda one: _line_of(text, [str(part) for part in one["loc"]]) or 0)
        return _invalid(*(_malformed(name, text, one["loc"], one["msg"]) for one in in_order))


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above`, table by table."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _over(below[key], value) if both else value
    return merged


def _unknown_keys(given: Mapping[str, Any], known: Mapping[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for key, value in given.items():
        if key not in known:
            yield (*above, key)
        elif isinstance(value, dict) and isinstance(known[key], dict):
            yield from _unknown_keys(value, known[key], *above, key)


def _unknown(name: str, text: str, place: Sequence[str]) -> Fault:
    *tables, key = place
    known = DECLARED_RULES
    for table in tables:
        known = known[table]
    meant = get_close_matches(key, list(known), n=1, cutoff=0.6)
    what_next = f"write `{meant[0]}`" if meant else f"use one of {', '.join(known)}"
    return Fault(_place(name, text, place), f"{_quoted(place)} is not a setting of the alerts", what_next)


def _malformed(name: str, text: str, place: Sequence[object], problem: str) -> Fault:
    words = [str(part) for part in place]
    return Fault(_place(name, text, words), f"{_quoted(words)}: {problem.lower()}", "see bot/config/alerts.toml")


def _place(name: str, text: str, place: Sequence[str]) -> str:
    line = _line_of(text, place)
    return f"{name} line {line}" if line else name


def _line_of(text: str, place: Sequence[str]) -> int | None:
    """The line of a key below its table's header, or of that header; None if the file has neither."""
    *tables, key = place
    header, found = ".".join(tables), None
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        opened = re.match(r"\s*\[([\w.]+)\]", line)
        if opened:
            table = opened[1]
            found = found or (number if table in (header, ".".join(place)) else None)
        elif table == header and re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
    return found


def _quoted(place: Sequence[str]) -> str:
    """A place in the file, made harmless and short: faults are shown in Slack."""
    return "`" + re.sub(r"[^A-Za-z0-9_.-]", "?", ".".join(place))[:80] + "`"


def _invalid(*faults: Fault) -> Invalid:
    return Invalid(GROUP, faults)
