"""The terminal prints what Slack shows, and tells scripts how it went."""

import json

import pytest

from bot.cli import dispatch


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

    assert json.loads(outcome.text)["error"]["what"] == "There is no command `loggs`"
    assert not outcome.is_error


async def test_an_error_for_people_goes_to_stderr() -> None:
    outcome = await dispatch(["loggs"], {})

    assert outcome.is_error
    assert "Did you mean logs?" in outcome.text


async def test_a_quoted_argument_of_the_shell_stays_one_word() -> None:
    outcome = await dispatch(["help", "failed jobs now"], {})

    assert outcome.code == 2
    assert "failed jobs now" in outcome.text
