"""`verify` takes the first 4 characters of a commit where only one deployed commit begins with them."""

from __future__ import annotations

import pytest

from bot.commands.verify import choose, find_commit, is_commit_prefix, parse
from bot.config.environment import Settings
from bot.world import World
from services.domain.errors import UsageError
from services.domain.services import Service
from services.domain.systems import RUNBOOK

ONE, TWO, OTHER = "c45e17a9" * 5, "c45e99ff" * 5, "8d02b64e" * 5
NOWHERE = World.from_settings(Settings.from_environment({}))


@pytest.mark.parametrize(
    ("word", "may_be"), [("c45e", True), ("C45E", True), ("c45", False), ("c45g", False), ("a" * 41, False)]
)
def test_four_characters_may_be_a_commit(word: str, may_be: bool) -> None:
    assert is_commit_prefix(word) is may_be


def test_the_only_one_that_begins_so_is_meant() -> None:
    assert choose("c45e", [ONE, OTHER, ONE], "verify ingest") == ONE


def test_several_are_offered() -> None:
    with pytest.raises(UsageError, match="2 commits begin") as refused:
        choose("c45e", [ONE, TWO, OTHER], "verify ingest")

    assert [choice.line for choice in refused.value.choices] == ["verify ingest c45e17a9", "verify ingest c45e99ff"]


def test_none_is_reported_with_what_to_write() -> None:
    with pytest.raises(UsageError, match="none of") as refused:
        choose("dead", [ONE], "verify ingest")

    assert "`verify ingest 8d02b64e`" in refused.value.what_next


def test_without_all_deployments_no_one_knows_that_it_is_the_only_one() -> None:
    with pytest.raises(UsageError, match="Railway"):
        choose("c45e", [ONE], "verify ingest", is_complete=False)


async def test_seven_characters_need_no_look() -> None:
    assert await find_commit("C45E17A", tuple(RUNBOOK.services), NOWHERE, line="verify") == "c45e17a"


async def test_verify_refuses_a_word_that_is_no_commit() -> None:
    with pytest.raises(UsageError, match="commit SHA") as refused:
        await find_commit("c45", tuple(RUNBOOK.services), NOWHERE, line="verify")

    assert "4 to 40" in refused.value.what_next


def test_a_first_word_that_can_be_a_commit_means_all_services() -> None:
    assert parse(("c45e",), RUNBOOK) == (tuple(RUNBOOK.services), "c45e")
    assert parse(("ingest", "c45e"), RUNBOOK) == ((Service.INGEST,), "c45e")
