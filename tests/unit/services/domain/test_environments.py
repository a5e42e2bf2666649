"""The list of environments: no other place names them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.domain.environments import (
    NAMES,
    check_environment,
    find_environment,
    is_production,
    may_be_production,
    one_of,
)

ROOT = Path(__file__).parents[4]
CODE = [path for folder in ("bot", "playbooks", "services") for path in (ROOT / folder).rglob("*.py")]
NAMED = re.compile(rf"""["']({"|".join(NAMES)})["']|{one_of(NAMES)}""")
ALLOWED = {
    "services/domain/environments.py",
    "services/sandbox/environment.py",  # the demo is one environment
    "services/sandbox/postgres/server.py",
}


@pytest.mark.parametrize("name", NAMES)
def test_check_environment_takes_each_name(name: str) -> None:
    assert check_environment(name) == name


@pytest.mark.parametrize("name", ["production", "PROD", "demo", ""])
def test_check_environment_refuses_an_unknown_name_with_the_list_and_without_the_value(name: str) -> None:
    with pytest.raises(ValueError, match="is not dev, qa, staging or prod") as caught:
        check_environment(name)

    assert not name or name not in str(caught.value).replace("prod", "")


@pytest.mark.parametrize(
    ("word", "name"), [("Production", "prod"), ("stage", "staging"), ("development", "dev"), (" qa ", "qa")]
)
def test_find_environment_knows_synonyms(word: str, name: str) -> None:
    found = find_environment(word)

    assert found is not None
    assert found.name == name


def test_find_environment_knows_no_other_word() -> None:
    assert find_environment("demo") is None


def test_only_prod_and_unknown_environments_are_production() -> None:
    assert [name for name in (*NAMES, "demo") if is_production(name)] == ["prod", "demo"]


def test_free_name_may_mean_production() -> None:
    words = ("prod", "Production", "eu-prod-2", "live", "staging", "scratch", "dev")

    assert [word for word in words if may_be_production(word)] == ["prod", "Production", "eu-prod-2", "live"]


def test_one_of_lists_names() -> None:
    assert (one_of(["dev"]), one_of(["dev", "qa", "prod"])) == ("dev", "dev, qa or prod")


def test_no_other_module_names_an_environment() -> None:
    naming = {str(path.relative_to(ROOT)) for path in CODE if NAMED.search(path.read_text())}

    assert naming - ALLOWED == set()
