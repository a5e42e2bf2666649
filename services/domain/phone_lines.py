"""The first line of a message, which a phone's notification shows, and its width in characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

PHONE_LIMIT = 110  # characters that a phone's notification shows
_MENTION_WIDTH = 12  # "@Ann Keller": an estimate, because the displayed name is not known here
_LEAST = 40  # characters before a break: fewer would say too little
_TOKEN = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);|.", re.DOTALL)
_MARKS = "*`"  # Slack reads these as formatting, and shows none in a notification
_PAUSES = ".;:,·"


def shorten(text: str, limit: int) -> str:
    """Cut plain text to at most `limit` characters, between words if that keeps more than half of them."""
    if len(text) <= limit:
        return text
    kept = text[: max(limit - 1, 0)]
    whole_words = kept if text[len(kept)] in " ,;:·" else kept.rpartition(" ")[0]
    return f"{(whole_words if len(whole_words) > limit // 2 else kept).rstrip(' ,;:·')}…"[:limit]


def shown_width(mrkdwn: str) -> int:
    """The number of characters that a notification shows of it."""
    return sum(_width(token) for token in _TOKEN.findall(mrkdwn))


def with_short_first_line(mrkdwn: str) -> str:
    """Break the first line within `PHONE_LIMIT`, at a pause if there is one; the rest follows on the next line."""
    first, newline, rest = mrkdwn.partition("\n")
    if shown_width(first) <= PHONE_LIMIT:
        return mrkdwn
    end = _break(first)
    below = first[end:].strip(" ·")
    return "\n".join([first[:end].rstrip(" ·"), *([below] if below else []), *([rest] if newline else [])])


def _break(line: str) -> int:
    """The index at which the first line ends: after the last pause that fits, else before the last word that does."""
    pause, word, hard = 0, 0, 0
    for end, width, is_bold in _ends(line):
        if width > PHONE_LIMIT:
            break
        hard = end
        if line[end : end + 1] == " " and width >= _LEAST and not is_bold:
            word = end
            pause = end if line[end - 1] in _PAUSES else pause
    return pause or word or hard


def _ends(line: str) -> Iterator[tuple[int, int, bool]]:
    """After each token: its end, the width shown up to there, and whether bold is open."""
    width, is_bold = 0, False
    for token in _TOKEN.finditer(line):
        width += _width(token[0])
        is_bold = is_bold != (token[0] == "*")
        yield token.end(), width, is_bold


def _width(token: str) -> int:
    if token.startswith("<") and len(token) > 2:
        words = token[1:-1].partition("|")[2]
        return len(words) if words else _MENTION_WIDTH if token[1] in "@!#" else len(token) - 2
    if token.startswith("&"):
        return 1
    return 0 if token in _MARKS else 1
