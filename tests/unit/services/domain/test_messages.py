"""Buttons that lead to another message: a link once its address is known, no button before."""

from __future__ import annotations

import pytest

from bot.views.blocks import actions, command_button, message_button, section
from services.domain.messages import linked_key, message_link, with_link

URL = "https://acme.slack.com/archives/C1/p12"
BLOCKS = [section("x"), *actions([command_button("Health", "health"), message_button("Open the thread", "incident:1")])]


def test_the_key_is_that_of_the_button() -> None:
    assert linked_key(BLOCKS) == "incident:1"
    assert linked_key([section("x"), *actions([command_button("Health", "health")])]) is None


def test_the_button_is_a_link_once_the_address_is_known() -> None:
    text, row = with_link(BLOCKS, URL)

    assert text == section("x")
    assert row["elements"][0] == command_button("Health", "health")
    assert row["elements"][1]["url"] == URL
    assert "value" not in row["elements"][1]


def test_the_button_is_left_out_first_and_its_row_when_it_is_empty() -> None:
    assert with_link(BLOCKS, None) == [section("x"), *actions([command_button("Health", "health")])]
    assert with_link([section("x"), *actions([message_button("Open", "incident:1")])], None) == [section("x")]


@pytest.mark.parametrize(
    ("workspace", "channel", "ts", "thread", "url"),
    [
        ("https://acme.slack.com/", "C1", "1.2", None, URL),
        ("https://acme.slack.com", "C1", "1.2", "1.1", f"{URL}?thread_ts=1.1&cid=C1"),
        (None, "C1", "1.2", None, None),
        ("", "C1", "1.2", None, None),
        ("https://acme.slack.com/", None, "1.2", None, None),
        ("https://acme.slack.com/", "C1", None, None, None),
    ],
)
def test_an_address_needs_all_its_parts(
    workspace: str | None, channel: str | None, ts: str | None, thread: str | None, url: str | None
) -> None:
    assert message_link(workspace, channel, ts, thread) == url
