"""Escapes untrusted text, cuts text, and formats mentions and dates.

All text in messages that this project did not write (log lines, job errors, commit messages, typed text, names) passes
`escape` on its way into mrkdwn, `code` into a code span, and `plain` into plain text. Nothing else escapes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from services.domain.deployments import SHORT_ID
from services.domain.people import Person, outside_name
from services.domain.phone_lines import PHONE_LIMIT, shorten, shown_width
from services.domain.text import clock_time

DATE_AND_TIME = "{date_short_pretty} {time}"  # format of Slack's date token
BUTTON_LIMIT = 75
LABEL_LIMIT = 30  # our limit: what a phone shows of a button
SECTION_LIMIT = 3000  # characters of one text object
_MARK_ROOM = 24  # characters kept free for "… 123456789 more" and a closing fence

_FENCE = "```"
_WHOLE_ID = re.compile(
    r"<https?:[^<>]*>|\b(?P<id>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{40})\b", re.IGNORECASE
)
_WHOLE = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);|```|.", re.DOTALL)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack has no escape for its marks, so look-alikes replace them: the asterisk operator, the modifier letters low macron
# and grave accent, the tilde operator, the ratio. An underscore within a word is no mark, and is frequent in names. A
# colon is replaced only in `:emoji:` and in addresses, which would imitate our own signs and links.
_LOOK_ALIKES = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb", ":": "\u2236"}
_COLON = re.compile(r":(?:(?=[\d+'_-]{0,100}[A-Za-z+'_-][\w+'-]{0,100}:)|(?<!\d:)(?=\d{1,100}:(?!\d))|(?=//))")
# Each alternative begins with a literal character, so text without these characters is skipped quickly.
_MARKS = re.compile(rf"\*|~|`|_(?<!\w_)_*|_++(?![^\W_])|{_COLON.pattern}")
_LONGEST_MARK = 100  # length of an emoji's code
_ALIKE, _MEANT = str.maketrans(_LOOK_ALIKES), str.maketrans({alike: mark for mark, alike in _LOOK_ALIKES.items()})


class _CleaningTable(dict[int, str]):
    """Table for `str.translate`, filled as characters occur, because Unicode is large."""

    def __missing__(self, code: int) -> str:
        self[code] = replacement = _clean_character(chr(code))
        return replacement


def _clean_character(character: str) -> str:
    if character in "\n\t":
        return character
    match unicodedata.category(character):
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"  # a lone surrogate can't be encoded, so the message could not be sent
        case "Zl" | "Zp":
            return "\n"
        case "Cc" | "Cf":
            return ""  # controls, terminal escapes, bidirectional and invisible marks
        case _:
            return character


_CLEANING = _CleaningTable()


def clean(text: str) -> str:
    """The text without control, bidirectional and invisible characters and lone surrogates; line breaks stay."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEANING)


def escape(text: str, *, limit: int = SECTION_LIMIT) -> str:
    """Untrusted text as part of one mrkdwn line: it can't make a mention, link, format or line break.

    `&`, `<` and `>` become entities, and formatting marks become look-alikes. At most `limit` characters, cut between
    characters and marked "… N more".
    """
    line = _one_line(text)
    seen = limit + _LONGEST_MARK  # the rest is cut anyway
    return _escaped(_MARKS.sub(lambda mark: mark[0].translate(_ALIKE), line[:seen]) + line[seen:], limit)


def code(text: str, *, limit: int = SECTION_LIMIT) -> str:
    """Untrusted text as a code span that can be copied: only backticks are replaced."""
    return f"`{_escaped(_one_line(text).replace('`', _LOOK_ALIKES['`']), limit)}`"


def link(url: str, words: str) -> str:
    """A link in mrkdwn. `url`: a web address; its characters are escaped so that they can't end the link."""
    return f"<{_escaped(url, len(url) * 5).replace('|', '%7C')}|{escape(words)}>"


def with_short_ids(mrkdwn: str) -> str:
    """Cut each whole id to 8 characters, which commands accept; addresses stay unchanged."""
    return _WHOLE_ID.sub(lambda found: found["id"][:SHORT_ID] if found["id"] else found[0], mrkdwn)


def without_look_alikes(text: str) -> str:
    """Restore the characters that `escape` and `code` replaced, for text that is not parsed."""
    return text.translate(_MEANT)


def plain(text: str, *, limit: int = SECTION_LIMIT) -> str:
    """Untrusted text for a plain-text object, a table cell or the terminal: one clean line of at most `limit`."""
    return cut(_one_line(text), limit)


def label_text(text: str, *, limit: int) -> str:
    """Untrusted text for buttons, options and headings: plain, and without `:emoji:`."""
    return cut(_COLON.sub(_LOOK_ALIKES[":"], _one_line(text)), limit)


def button_text(text: str) -> str:
    """Text for a button, cut with an ellipsis to what a phone shows."""
    line = label_text(text, limit=BUTTON_LIMIT)
    return line if len(line) <= LABEL_LIMIT else f"{line[: LABEL_LIMIT - 1].rstrip()}…"


def cut(text: str, limit: int) -> str:
    """Cut to `limit` characters, with the number of omitted ones: "… N more".

    Only "… more" for a text that ends in "…", because it was cut before.
    """
    if len(text) <= limit:
        return text
    kept = text[: max(limit - _MARK_ROOM, 0)]
    return _marked(kept, _left_out(text, len(kept)), limit)


def cut_mrkdwn(mrkdwn: str, limit: int) -> str:
    """Cut our own mrkdwn to `limit` characters, never inside an entity, a link, a date token or a fence.

    A code fence that is open at the cut is closed.
    """
    if len(mrkdwn) <= limit:
        return mrkdwn
    kept, in_fence = _whole_pieces(mrkdwn, limit - _MARK_ROOM - len(f"\n{_FENCE}"))
    ending = f"\n{_FENCE}" if in_fence else ""
    return _marked(kept + ending, _left_out(mrkdwn, len(kept)), limit)


def date_token(moment: datetime, form: str = DATE_AND_TIME) -> str:
    """Slack's date token: readers see their own time zone, other clients the time in UTC."""
    return f"<!date^{int(moment.timestamp())}^{form}|{utc(moment)}>"


def utc(moment: datetime) -> str:
    """ "2025-12-20 10:30 UTC", where date tokens are not possible: terminal, tables, fallback texts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _escaped(line: str, limit: int) -> str:
    escaped = "".join(_ENTITIES.get(character, character) for character in line[: limit + 1])
    return escaped if len(escaped) <= limit else _cut_escaped(line, limit)


def _cut_escaped(line: str, limit: int) -> str:
    room, pieces, size = max(limit - _MARK_ROOM, 0), [], 0
    for character in line:
        piece = _ENTITIES.get(character, character)
        if size + len(piece) > room:
            break
        pieces.append(piece)
        size += len(piece)
    return _marked("".join(pieces), _left_out(line, len(pieces)), limit)


def _whole_pieces(mrkdwn: str, room: int) -> tuple[str, bool]:
    """Return as many whole pieces as fit, and True if they end inside a fence."""
    end, in_fence = 0, False
    for whole in _WHOLE.finditer(mrkdwn):
        if whole.end() > room:
            break
        end = whole.end()
        in_fence = in_fence != (whole.group() == _FENCE)
    return mrkdwn[:end], in_fence


def _left_out(text: str, kept: int) -> str:
    """The number of omitted characters and a space; empty if unknown."""
    return "" if text.endswith("…") else f"{len(text) - kept} "


def _marked(kept: str, left_out: str, limit: int) -> str:
    """The kept text with the mark "… N more"; the mark is cut if the limit is too small for it."""
    mark = f"… {left_out}more"
    text = f"{kept} {mark}" if kept else mark
    return text if len(text) <= limit else mark[: max(limit, 0)]


TITLE_LIMIT = 200  # characters of a title in the message
PLACE_LIMIT = 20  # characters of a place on a phone


@dataclass(frozen=True)
class FirstLine:
    """The first line of a message. `sign`, `more`: our own mrkdwn. `place`, `title`: untrusted. `since`: None if over.

    `place_last`: the title comes before the place. `form`: date format for `date_token`.
    """

    sign: str
    place: str
    title: str
    since: datetime | None = None
    more: str = ""
    place_last: bool = False
    form: str = "{time}"

    @property
    def shown(self) -> str:
        """ "🔴 *PAGE* prod · *ingest is down* (0 of 2) since 09:02", in mrkdwn."""
        since = f" since {date_token(self.since, self.form)}" if self.since else ""
        place = escape(self.place)
        return f"{self._before(place)}{self._bold_title()}{since}{self.more}{self._after(place)}"

    @property
    def phone(self) -> str:
        """The line for a notification, within `PHONE_LIMIT` and without Slack's date tokens."""
        since = f" since {clock_time(self.since)}" if self.since else ""
        place = escape(shorten(self.place, PLACE_LIMIT))
        before, after = self._before(place), self._after(place)
        room = PHONE_LIMIT - shown_width(f"{before}{self.more}{since}{after}")
        return f"{before}{escape(shorten(self.title, room))}{since}{self.more}{after}"

    def _bold_title(self) -> str:
        """The title in bold, without the numbers in parentheses after it."""
        words, bracket, numbers = escape(self.title, limit=TITLE_LIMIT).partition(" (")
        return f"*{words}*{bracket}{numbers}"

    def _before(self, place: str) -> str:
        return f"{self.sign} {place} · " if place and not self.place_last else f"{self.sign} "

    def _after(self, place: str) -> str:
        return f" · {place}" if place and self.place_last else ""


def mention(slack_id: str) -> str:
    """Mention a user (U…, W…) or user group (S…); ids are checked where they are read. Others: their name."""
    outside = outside_name(slack_id)
    if outside is not None:
        return escape(outside, limit=100)
    return f"<!subteam^{slack_id}>" if slack_id.startswith("S") else f"<@{slack_id}>"


def person(who: Person | None, *, otherwise: str = "the terminal") -> str:
    """Mention a person, by the id of Slack's signed payload; `otherwise` for None."""
    return mention(who.user_id) if who else otherwise


def channel_name(channel: str) -> str:
    """Link or name of a channel, which the settings give by id or by name."""
    is_id = channel[:1] in "CG" and channel.isupper() and channel.isalnum()
    return f"<#{channel}>" if is_id else f"#{escape(channel.removeprefix('#'), limit=100)}"
