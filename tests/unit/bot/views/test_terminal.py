"""Answers in the terminal: without Slack's markup, and without characters that move the cursor."""

from bot.types import Answer, Block
from bot.views import blocks
from bot.views.rollback import choose_button
from bot.views.terminal import answer_text, mentioned_ids
from bot.views.text import code, escape


def shown(*content: Block) -> str:
    return answer_text(Answer("fallback", content, None))


def test_dates_links_and_bold_are_words() -> None:
    text = "*Bold* <!date^1^{time}|2025-12-20 10:30 UTC> <https://a.example|page> &lt;x&gt; `code`"

    assert shown(blocks.section(text)) == "Bold 2025-12-20 10:30 UTC page (https://a.example) <x> code"


def test_terminal_leaves_out_buttons_that_only_slack_has() -> None:
    menu = blocks.command_menu([("Logs", "logs api")])
    shown_blocks = [*blocks.actions([choose_button("api"), menu]), blocks.section("x", accessory=choose_button("api"))]

    assert shown(*shown_blocks) == "    → Logs: dragonfly logs api\nx"


def test_code_is_shown_as_it_is() -> None:
    assert shown(blocks.section(f"*Log* with {code('*a b* &')}")) == "Log with *a b* &"


def test_terminal_shows_words_of_people_unchanged() -> None:
    assert shown(blocks.section(f"*Cause:* {escape('*pool* ~full~ `_x_`')}")) == "Cause: *pool* ~full~ `_x_`"


def test_people_and_groups_go_by_name_also_within_plain_words() -> None:
    content = [
        blocks.section(f"*ingest* is locked by {escape('U0BEN000001')} (<@U0ANN000001>), not by U0NEW000001"),
        blocks.context("levels: <!subteam^S0APPROVERS>; SUPABASE_DB_URL; UNAVAILABLE; run-U0BEN000001; 8d02b64e"),
    ]
    names = {"U0BEN000001": "Ben Osei", "U0ANN000001": "Ann Keller", "S0APPROVERS": "dragonfly-approvers"}

    answer = Answer("fallback", content, None)

    assert mentioned_ids(answer) == {*names, "U0NEW000001"}
    assert answer_text(answer, names) == (
        "ingest is locked by Ben Osei (@Ann Keller), not by U0NEW000001\n"
        "  levels: @dragonfly-approvers; SUPABASE_DB_URL; UNAVAILABLE; run-U0BEN000001; 8d02b64e"
    )


def test_a_button_is_what_one_would_type() -> None:
    assert shown(*blocks.actions([blocks.command_button("Logs", "logs api")])) == "    → Logs: dragonfly logs api"


def test_a_table_has_columns() -> None:
    assert shown(*blocks.table(["Name", "Age"], [["山田", "3 s"], ["a", "4 s"]])) == "Name  Age\n山田  3 s\na     4 s"


def test_terminal_escapes_do_not_get_through() -> None:
    assert shown(blocks.preformatted("a\x1b[2Jb")) == "a[2Jb"


def test_the_fallback_text_is_shown_without_blocks() -> None:
    assert shown() == "fallback"


def test_people_and_groups_are_reported_by_their_ids() -> None:
    assert shown(blocks.section("<@U0ANN000001> or <!subteam^S0APPROVERS>")) == "@U0ANN000001 or @S0APPROVERS"


def test_people_go_by_their_names_in_the_on_call_file() -> None:
    answer = Answer("<@U0ANN000001> or <@U0BEN000001>", (), None)

    assert answer_text(answer, {"U0ANN000001": "ann"}) == "@ann or @U0BEN000001"
