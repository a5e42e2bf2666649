"""The GitHub issue of a follow-up: no personal data and no secret, whoever stored the text."""

from __future__ import annotations

from bot.views.todos import issue_text, issue_title
from services.domain.todos import WantedIssue
from tests.canaries import TYPED, leaks

HIDDEN_MARK = "zeb\u200b@quillfeather.example"  # split by an invisible character


def wanted(text: str, title: str = "no uploads") -> WantedIssue:
    return WantedIssue(1, 7, text, None, "dragonfly-follow-up:1", None, 0, False, title, None, None)


def test_issue_holds_nothing_personal_even_where_the_stored_text_does() -> None:
    for text in (TYPED, HIDDEN_MARK):
        issue = wanted(text, title=text)

        assert leaks(text.replace("\u200b", ""))
        assert leaks(issue_title(issue)) == []
        assert leaks(issue_text(issue, "prod", None)) == []


def test_issue_keeps_the_words_and_lines_of_a_text_that_is_masked_already() -> None:
    text = "raise the limit of `uploads`\nthen tell …"

    assert "raise the limit of uploads\nthen tell …" in issue_text(wanted(text), "prod", None)
    assert issue_title(wanted(text)) == "raise the limit of uploads then tell …"
