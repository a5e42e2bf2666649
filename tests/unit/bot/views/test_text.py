"""Escaping and cutting of untrusted text: Slack parses nothing in it, and no cut leaves half an entity."""

import html
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.views.text import (
    clean,
    code,
    cut,
    cut_mrkdwn,
    date_token,
    escape,
    label_text,
    link,
    plain,
    with_short_ids,
    without_look_alikes,
)
from services.sandbox.page.drawing.html import Drawing
from services.sandbox.page.drawing.mrkdwn import mrkdwn as drawn

HOSTILE = [
    "<!channel>",
    "<!here|here>",
    "<!subteam^S123>",
    "<@U123>",
    "<#C123|general>",
    "<http://evil.example|https://good.example>",
    "```fence",
    "`code`",
    "&lt;!channel&gt;",
    "&amp;lt;!channel>",
    "line one\n&gt; quote\r\nline three\u2028line four",
    "\x1b[31mred\x1b[0m \x07 bell \x00 nul",
    "\u202eright to left\u202c \u2066isolate\u2069 \u200bzero width\ufeff",
    "lone \ud800 surrogate \udfff",
    "x" * 50_000,
    "<" * 50_000,
]
hostile_text = st.one_of(
    st.text(alphabet=st.characters(), max_size=200),
    st.lists(st.sampled_from([*HOSTILE[:14], "&", "<", ">", "```", "|", " "]), max_size=20).map("".join),
)


@given(hostile_text, st.integers(40, 3000))
def test_escaped_text_holds_nothing_that_slack_parses(text: str, limit: int) -> None:
    escaped = escape(text, limit=limit)

    assert len(escaped) <= limit
    assert not re.search(r"[<>`\n\r]|&(?!amp;|lt;|gt;)", escaped)
    escaped.encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_one_harmless_line(text: str) -> None:
    escaped = escape(text, limit=300)

    assert "<" not in escaped
    assert "```" not in escaped
    assert len(escaped) <= 300
    assert not re.search(r"[\x00-\x1f\u202a-\u202e\u2066-\u2069\u200b]", escaped)


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S")), max_size=200))
def test_escaping_changes_nothing_but_markup(text: str) -> None:
    assert html.unescape(escape(text)) == html.unescape(escape(html.unescape(escape(text))))


@given(st.text(alphabet="*_~`a5 .,é&<:/", max_size=40))
def test_escape_keeps_words_of_people_from_formatting(text: str) -> None:
    shown = drawn(f"begin {escape(text)}, *{escape(text)}x* `ours` {escape(text)}", Drawing())

    assert re.findall(r"<(\w+)", str(shown)) == ["strong", "code"]


@given(st.text(alphabet="*_~`a5 .,é&<:/", max_size=40))
def test_look_alikes_are_taken_back_where_nothing_is_parsed(text: str) -> None:
    assert without_look_alikes(html.unescape(escape(text))) == plain(text)


@pytest.mark.parametrize(
    "name",
    [
        "failed_jobs",
        "ops.job_queue",
        "SUPABASE_DB_URL",
        "a__b",
        "10:30 - 12 %",
        "10:30:15",
        "ValueError: x: y",
        "a:b",
        "#1",
    ],
)
def test_names_stay_as_they_are(name: str) -> None:
    assert escape(name) == name


@pytest.mark.parametrize("text", ["*", "_", "~", "`", "_private", "ends_", "2*3", "~/.config", "a_ b"])
def test_escape_removes_formatting_characters(text: str) -> None:
    assert not re.search(r"[*~`]|(?<!\w)_|_(?!\w)", escape(text))


@pytest.mark.parametrize(
    "text",
    [
        ":white_check_mark: OK",
        "x:red_circle:y",
        ":100:",
        ":+1:",
        ":skin-tone-2::x:",
        "https://evil.example",
        "see http://x",
    ],
)
def test_no_sign_and_no_link_of_ours_is_imitated(text: str) -> None:
    for shown in (escape(text), label_text(text, limit=100)):
        assert not re.search(r":[\w+'-]+:|://", shown)
        assert without_look_alikes(shown) == text


def test_code_is_copied_as_it_is() -> None:
    assert code("logs ingest *.py ~/x __main__ <a>") == "`logs ingest *.py ~/x __main__ &lt;a&gt;`"
    assert code("a`b").count("`") == 2


def test_an_address_stays_itself_in_a_link() -> None:
    assert link("https://a.example/~b/_c_?d=1&e|f", "a > b") == "<https://a.example/~b/_c_?d=1&amp;e%7Cf|a &gt; b>"


def test_reports_how_much_was_left_out() -> None:
    assert escape("a" * 100, limit=60) == "a" * 36 + " … 64 more"
    assert plain("a" * 100, limit=60) == "a" * 36 + " … 64 more"


def test_reports_no_number_of_what_was_left_out_of_a_text_that_was_cut_before() -> None:
    assert cut("a" * 60 + "…", 30).endswith("a … more")
    assert escape("<" * 60 + "…", limit=30).endswith("; … more")
    assert cut_mrkdwn("a " * 60 + "…", 60).endswith(" … more")


def test_text_that_just_fits_is_not_cut() -> None:
    assert escape("&" * 10, limit=50) == "&amp;" * 10
    assert escape("&" * 10, limit=49).endswith(" more")


@given(st.text(max_size=300), st.integers(0, 200))
def test_cut_text_keeps_the_limit(text: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit


_MRKDWN = st.lists(
    st.sampled_from(["word ", "&amp;", "<https://a.example|label>", "<!date^1^{time}|then>", "```", "\n", "*bold*"]),
    max_size=60,
).map("".join)


@given(_MRKDWN, st.integers(40, 400))
def test_cut_mrkdwn_leaves_only_whole_pieces(mrkdwn: str, limit: int) -> None:
    result = cut_mrkdwn(mrkdwn, limit)

    assert len(result) <= limit
    assert result.count("<") == result.count(">")
    assert not re.search(r"&(?!amp;)", result)
    assert result == mrkdwn or result.count("```") % 2 == 0


def test_cleaning_keeps_line_breaks_and_letters() -> None:
    assert clean("Grüße\r\n山田 👩") == "Grüße\n山田 👩"


def test_a_date_token_has_a_fallback_in_utc() -> None:
    moment = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)

    assert date_token(moment, "{time}") == "<!date^1766226600^{time}|2025-12-20 10:30 UTC>"


def test_whole_ids_are_shortened_and_addresses_stay() -> None:
    uuid, sha = "6bb6dbd8-aac1-4f3e-8c6b-c9c7023ace63", "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"

    assert with_short_ids(f"rollback api to {uuid}, at {sha}.") == "rollback api to 6bb6dbd8, at a1b2c3d4."
    assert with_short_ids(f"<https://x.test/{uuid}|log>") == f"<https://x.test/{uuid}|log>"
    assert with_short_ids("a1b2c3d4") == "a1b2c3d4"
