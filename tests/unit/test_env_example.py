"""The example of the environment: complete, with the defaults of the settings."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from bot.config.environment import Settings
from tests.settings import variables

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / ".env.example").read_text()
LINES = re.findall(r"^(#?)([A-Z][A-Z0-9_]*)=(.*)$", TEXT, re.M)
DEFAULTS = {name: value for commented, name, value in LINES if commented}


def test_the_example_has_each_variable_once() -> None:
    """The variables of the processes, and those that compose.yaml fills in."""
    filled_in = re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text())

    assert Counter(name for _, name, _ in LINES) == Counter({*variables(), *filled_in})


def test_the_example_has_nothing_but_comments_and_variables() -> None:
    assert [line for line in TEXT.splitlines() if line and not re.match(r"# |#?[A-Z][A-Z0-9_]*=", line)] == []


def test_lines_that_are_commented_out_show_the_default() -> None:
    known = variables()

    assert {
        name: (value, known[name])
        for name, value in DEFAULTS.items()
        if not any(value == str(default).lower() or _is_number(value, default) for default in known[name])
    } == {}


def test_the_copy_sets_nothing_before_it_is_filled_in() -> None:
    given = {name: value for commented, name, value in LINES if not commented}

    assert Settings.from_environment(given) == Settings.from_environment({})


def _is_number(value: str, default: object) -> bool:
    return re.fullmatch(r"[\d.]+", value) is not None and float(value) == float(str(default))
