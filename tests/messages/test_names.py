"""No text that people read names a person or a user group by a bare Slack id."""

from __future__ import annotations

import re

import pytest

from tests.messages.render import FOLDER

BARE_ID = re.compile(r"(?<![\w@/-])[USW](?=[A-Z]*\d)[A-Z0-9]{2,}\b")  # a mention is shown as "@U0…"
NO_IDS = frozenset({"S3", "UTF8", "SHA256", "SEV1", "SEV2", "SEV3"})


@pytest.mark.parametrize(
    ("text", "found"),
    [("locked by U0BEN000001", ["U0BEN000001"]), ("of S0APPROVERS.", ["S0APPROVERS"]), ("by @U0BEN000001, SHA a1", [])],
)
def test_a_bare_id_is_seen(text: str, found: list[str]) -> None:
    assert bare_ids(text) == found


def test_no_message_names_people_by_bare_ids() -> None:
    files = sorted(FOLDER.rglob("*.txt"))

    assert files
    assert {file.name: ids for file in files if (ids := bare_ids(file.read_text()))} == {}


def bare_ids(text: str) -> list[str]:
    return [one for one in BARE_ID.findall(text) if one not in NO_IDS]
