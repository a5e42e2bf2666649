"""Slack's mrkdwn as HTML: formatted text, plain text, and hostile text."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.page.drawing.html import Drawing
from services.sandbox.page.drawing.mrkdwn import mrkdwn

DRAWING = Drawing(
    users={"U1": "olivia", "U2": "ann"}, channels={"C1": "incidents"}, groups={"S1": "approvers"}, viewer="U2"
)


def shown(text: str) -> str:
    return str(mrkdwn(text, DRAWING))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold*", "<strong>bold</strong>"),
        ("_italic_", "<em>italic</em>"),
        ("~gone~", "<s>gone</s>"),
        ("`code *x*`", "<code>code *x*</code>"),
        ("*bold and _both_*", "<strong>bold and <em>both</em></strong>"),
        ("(*bold*), too", "(<strong>bold</strong>), too"),
        ("two\nlines", "two<br>lines"),
        ("&gt; quoted\n&gt; twice\nplain", "<blockquote>quoted<br>twice</blockquote>plain"),
        ("> quoted", "<blockquote>quoted</blockquote>"),
        ("```\na\n  *b*\n```", '<pre class="code-block" tabindex="0">a\n  *b*</pre>'),
        ("a &amp; b &lt;i&gt;", "a &amp; b &lt;i&gt;"),
    ],
)
def test_formats_as_slack_does(text: str, html: str) -> None:
    assert shown(text) == html


@pytest.mark.parametrize("text", ["a*b*c", "snake_case_name", "* no *", "2 * 3 * 4", "5~6", "*across\nlines*", "``"])
def test_leaves_marks_alone_that_do_not_stand_around_words(text: str) -> None:
    assert "<strong>" not in shown(text)
    assert "<em>" not in shown(text)
    assert "<s>" not in shown(text)


def test_mentions_show_the_names_of_the_directory_never_those_in_the_text() -> None:
    html = shown("<@U1|not her name> <#C1|other> <!subteam^S1|@x> <!here>")

    assert ">@olivia<" in html
    assert ">#incidents<" in html
    assert ">@approvers<" in html
    assert ">@here<" in html
    assert "not her name" not in html


def test_a_mention_of_the_viewer_stands_out() -> None:
    assert 'class="mention mention-me"' in shown("<@U2>")
    assert "mention-me" not in shown("<@U1>")


def test_links_open_elsewhere_and_show_their_label() -> None:
    assert shown("<https://example.test/?a=1&amp;b=2|here>") == (
        '<a href="https://example.test/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">here</a>'
    )
    assert ">mail@example.test<" in shown("<mailto:mail@example.test>")
    assert shown("<tel:+15550100|+1 555 0100>").startswith('<a href="tel:+15550100"')


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.test", "file:///etc"])
def test_other_schemes_are_no_links(url: str) -> None:
    assert "<a" not in shown(f"<{url}|click>")


def test_dates_are_shown_in_the_format_asked_for_with_the_moment_as_data() -> None:
    html = shown("<!date^1700000000^on {date_num} at {time_secs}|long ago>")

    assert html.startswith('<time datetime="2023-11-1')
    assert ">on 2023-11-1" in html


def test_a_date_out_of_range_falls_back_to_its_words() -> None:
    assert shown("<!date^-99999999999^{date}|long ago>") == "long ago"


def test_known_emoji_are_drawn_with_their_name_and_unknown_ones_stay_text() -> None:
    html = shown(":warning: :no_such_thing: at 10:30:45")

    assert 'aria-label="warning"' in html
    assert ":no_such_thing:" in html
    assert "10:30:45" in html


class Tags(HTMLParser):
    """The names of the elements and attributes that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


@given(st.text(alphabet=st.sampled_from("<>&\"'`*_~|@#!:/=\n abcU1xhtps^")))
def test_no_text_makes_an_element_or_attribute_of_its_own(text: str) -> None:
    tags = Tags(shown(text))

    assert tags.names <= {"strong", "em", "s", "code", "pre", "blockquote", "br", "a", "span", "time"}
    assert tags.attributes <= {"class", "tabindex", "href", "target", "rel", "role", "aria-label", "title", "datetime"}
