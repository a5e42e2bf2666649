"""Every block stays within Slack's limits for any content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.types import Block
from bot.views import blocks
from bot.views.blocks import MAX_BLOCKS, TEXT_LIMIT, TOTAL_LIMIT, characters, fit_message
from bot.views.text import escape, plain
from services.sandbox.slack.limits import violations

ANY = st.text(alphabet=st.characters(), max_size=60) | st.sampled_from(["", " ", "<!channel>", "x" * 50_000, "\ud800"])


def refused(text: str, content: list[Block]) -> list[object]:
    fitted_text, fitted = fit_message(text, content)
    payload = {"channel": "C0000001", "text": fitted_text, "blocks": fitted}
    return list(violations(payload, surface="message", method="chat.update"))


@given(ANY, st.lists(ANY, max_size=30), st.lists(st.lists(ANY, max_size=25), max_size=120))
def test_slack_takes_every_block(text: str, texts: list[str], rows: list[list[str]]) -> None:
    width = max([len(row) for row in rows] + [1])
    even = [row + [""] * (width - len(row)) for row in rows]
    safe = [escape(one) for one in texts]
    content = [
        blocks.header(text),
        *blocks.sections(safe),
        *blocks.fields([(one, escape(one)) for one in texts]),
        blocks.context(*safe),
        blocks.preformatted(plain(text)),
        *blocks.actions([blocks.command_button(one, "health") for one in texts]),
        *blocks.table(["heading"] * width, even),
    ]

    assert refused(escape(text), content) == []


def test_a_message_is_never_longer_than_slack_allows() -> None:
    text, fitted = fit_message("t" * 9000, [blocks.section("x" * 2000) for _ in range(300)])

    assert len(text) <= TEXT_LIMIT
    assert len(fitted) <= MAX_BLOCKS
    assert characters(fitted) <= TOTAL_LIMIT
    assert "more left out" in fitted[-1]["elements"][0]["text"]


@pytest.mark.parametrize(("count", "left_out"), [(MAX_BLOCKS, 0), (MAX_BLOCKS + 1, 2)])
def test_fifty_blocks_fit_and_fifty_one_do_not(count: int, left_out: int) -> None:
    _, fitted = fit_message("text", [blocks.section("x") for _ in range(count)])

    assert len(fitted) == MAX_BLOCKS
    assert sum(block["type"] == "context" for block in fitted) == (left_out > 0)


def test_buttons_of_one_message_have_different_ids() -> None:
    button = blocks.command_button("Run", "health")

    _, fitted = fit_message("text", [blocks.section("x", accessory=button), *blocks.actions([button] * 30)])

    ids = [fitted[0]["accessory"]["action_id"]] + [one["action_id"] for row in fitted[1:] for one in row["elements"]]
    assert len(set(ids)) == 31


def test_a_second_table_becomes_text() -> None:
    table = blocks.table(["Name", "Age"], [["ingest", "3 s"]])

    _, fitted = fit_message("text", [*table, *table])

    assert [block["type"] for block in fitted] == ["table", "rich_text"]
    assert fitted[1]["elements"][0]["elements"][0]["text"] == "Name    Age\ningest  3 s"


@pytest.mark.parametrize(("rows", "posted"), [(100, "… 1 more row"), (300, "… 201 more rows")])
def test_a_long_table_counts_the_rows_it_leaves_out(rows: int, posted: str) -> None:
    table, note = blocks.table(["n"], [[str(n)] for n in range(rows)])

    assert len(table["rows"]) == 100
    assert note["elements"][0]["text"] == posted


def test_half_a_command_is_no_command() -> None:
    with pytest.raises(ValueError, match="this command has 2001"):
        blocks.command_button("Run", "x" * 2001)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://", "", "https://a b", "https://x/" + "a" * 3000, "http://[::1"]
)
def test_a_link_needs_a_web_address(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        blocks.link_button("Open", url)
