"""The terminal prints what Slack shows, and its exit codes and JSON report the outcome to scripts."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

from bot.cli import dispatch

ROOT = Path(__file__).resolve().parents[3]


class Unreadable(dict[str, str]):
    """An environment that can't be read."""

    def __iter__(self) -> NoReturn:
        raise RuntimeError("secret")

    __getitem__ = get = keys = items = __iter__  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["help"], 0), (["helth"], 2), (["logs"], 2), (["queue"], 3), (["deployments", "api"], 3), (["migrate"], 1)],
)
async def test_exit_codes(arguments: list[str], code: int) -> None:
    assert (await dispatch(arguments, {})).code == code


async def test_help_as_json_lists_the_commands_without_any_settings() -> None:
    outcome = await dispatch(["help", "--json"], {})

    commands = {command["name"]: command for command in json.loads(outcome.text)}
    assert commands["logs"]["usage"].startswith("<service>")
    assert commands["logs"]["examples"][0] == "logs ingest"


async def test_an_error_as_json_goes_where_scripts_read() -> None:
    outcome = await dispatch(["loggs", "--json"], {})

    assert json.loads(outcome.text)["error"]["what"].endswith(" loggs")
    assert not outcome.is_error


async def test_an_error_for_people_goes_to_stderr() -> None:
    outcome = await dispatch(["loggs"], {})

    assert outcome.is_error
    assert "Did you mean logs?" in outcome.text


async def test_a_quoted_argument_of_the_shell_stays_one_word() -> None:
    outcome = await dispatch(["logs", "failed jobs now"], {})

    assert outcome.code == 2
    assert "failed jobs now" in outcome.text


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
async def test_help_is_found_where_programs_have_it(arguments: list[str]) -> None:
    outcome = await dispatch(arguments, {})

    assert outcome.code == 0
    assert "Dragonfly commands" in outcome.text


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["logs", "ingest", "--help"], "logs"),
        (["--help", "incident", "resolve"], "incident resolve"),
        (["migrate", "-h"], "migrate"),
        (["help", "manifest"], "manifest"),
    ],
)
async def test_each_command_has_its_help(arguments: list[str], name: str) -> None:
    outcome = await dispatch([*arguments, "--json"], {})

    assert outcome.code == 0
    assert json.loads(outcome.text)["name"] == name


async def test_the_manifest_is_the_same_for_people_and_programs() -> None:
    shown, printed = [await dispatch(["manifest", *more], {}) for more in ([], ["--json"])]

    assert json.loads(shown.text) == json.loads(printed.text)


async def test_an_error_as_json_has_no_markup_in_it() -> None:
    outcome = await dispatch(["logs", "<b> *& co*", "--json"], {})

    assert json.loads(outcome.text)["error"]["why"].startswith("<b> *& co* is")


async def test_a_bug_is_unknown_for_programs_too() -> None:
    outcome = await dispatch(["queue", "--json"], Unreadable())

    assert outcome.code == 3
    assert json.loads(outcome.text)["error"]["why"] == "an unexpected RuntimeError inside the bot"


async def test_version_of_a_checkout_is_its_project_s_and_its_commit_is_gits() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    reported = json.loads((await dispatch(["version", "--json"], {})).text)

    assert (reported["version"], reported["commit"]) == (project["version"], head.strip())


async def test_version_names_the_commit_that_railway_built() -> None:
    outcome = await dispatch(["version"], {"RAILWAY_GIT_COMMIT_SHA": "8d02b64e" + "0" * 32})

    assert "commit 8d02b64e, schema 2025" in outcome.text


async def test_version_takes_no_words() -> None:
    assert (await dispatch(["version", "now"], {})).code == 2
