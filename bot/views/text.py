"""Escapes untrusted text, and formats mentions, dates and truncation.

Everything in a message that this project did not write itself (log lines, job errors, commit messages, what people
typed, names) passes `escape` on its way into mrkdwn, `code` into a code span, and `plain` into plain text. Nothing
else escapes.
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

DATE_AND_TIME = "{date_short_pretty} {time}"  # a form of Slack's date token
BUTTON_LIMIT = 75
LABEL_LIMIT = 30  # ours: as much as a phone shows of a button
SECTION_LIMIT = 3000  # characters of one text object
_MARK_ROOM = 24  # characters kept free for "… 123456789 more" and a closing fence

_FENCE = "```"
_WHOLE_ID = re.compile(
    r"<https?:[^<>]*>|\b(?P<id>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{40})\b", re.IGNORECASE
)
_WHOLE = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);|```|.", re.DOTALL)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack has no escape for its marks, so look-alikes take their place: the asterisk operator, the modifier letters low
# macron and grave accent, the tilde operator, the ratio. An underscore within a word marks nothing, and names are full
# of them; nor does a colon but in `:emoji:` and in an address, which would imitate our own signs and links.
_LOOK_ALIKES = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb", ":": "\u2236"}
_COLON = re.compile(r":(?:(?=[\d+'_-]{0,100}[A-Za-z+'_-][\w+'-]{0,100}:)|(?<!\d:)(?=\d{1,100}:(?!\d))|(?=//))")
# Each alternative begins with a character: so what holds none of them is passed over at once.
_MARKS = re.compile(rf"\*|~|`|_(?<!\w_)_*|_++(?![^\W_])|{_COLON.pattern}")
_LONGEST_MARK = 100  # a code of an emoji
_ALIKE, _MEANT = str.maketrans(_LOOK_ALIKES), str.maketrans({alike: mark for mark, alike in _LOOK_ALIKES.items()})


class _CleaningTable(dict[int, str]):
    """What `str.translate` puts in a character's place; filled as characters are met, because Unicode is large."""

    def __missing__(self, code: int) -> str:
        self[code] = replacement = _clean_character(chr(code))
        return replacement


def _clean_character(character: str) -> str:
    if character in "\n\t":
        return character
    match unicodedata.category(character):
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"  # a lone surrogate cannot be encoded, so nothing could be sent
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
    """Untrusted text as a piece of one mrkdwn line: no mention, link, format or line break can come out of it.

    `&`, `<` and `>` become entities, and what would format our own words too becomes a look-alike. At most `limit`
    characters, cut between characters and marked "… N more".
    """
    line = _one_line(text)
    seen = limit + _LONGEST_MARK  # what comes after is cut anyway, however long it is
    return _escaped(_MARKS.sub(lambda mark: mark[0].translate(_ALIKE), line[:seen]) + line[seen:], limit)


def code(text: str, *, limit: int = SECTION_LIMIT) -> str:
    """Untrusted text as a code span, to be copied as it is: nothing in it is changed but back-ticks."""
    return f"`{_escaped(_one_line(text).replace('`', _LOOK_ALIKES['`']), limit)}`"


def link(url: str, words: str) -> str:
    """A link in mrkdwn. `url` is a web address; whatever it holds, it ends neither the address nor the link."""
    return f"<{_escaped(url, len(url) * 5).replace('|', '%7C')}|{escape(words)}>"


def with_short_ids(mrkdwn: str) -> str:
    """Eight characters of each whole id, as many as commands take for it; addresses stay as they are."""
    return _WHOLE_ID.sub(lambda found: found["id"][:SHORT_ID] if found["id"] else found[0], mrkdwn)


def without_look_alikes(text: str) -> str:
    """The characters that `escape` and `code` were given, for where nothing is parsed."""
    return text.translate(_MEANT)


def plain(text: str, *, limit: int = SECTION_LIMIT) -> str:
    """Untrusted text for a plain-text object, a table cell or the terminal: one clean line of at most `limit`."""
    return cut(_one_line(text), limit)


def label_text(text: str, *, limit: int) -> str:
    """Untrusted text for what is pressed, chosen or read as a heading: plain, and no `:emoji:` comes out of it."""
    return cut(_COLON.sub(_LOOK_ALIKES[":"], _one_line(text)), limit)


def button_text(text: str) -> str:
    """What stands on a button: as much as a phone shows of it, ended by an ellipsis where there is more."""
    line = label_text(text, limit=BUTTON_LIMIT)
    return line if len(line) <= LABEL_LIMIT else f"{line[: LABEL_LIMIT - 1].rstrip()}…"


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; what is left out is counted: "… N more".

    Of a text that was itself cut, and so ends in "…", no one knows how much is left out: "… more".
    """
    if len(text) <= limit:
        return text
    kept = text[: max(limit - _MARK_ROOM, 0)]
    return _marked(kept, _left_out(text, len(kept)), limit)


def cut_mrkdwn(mrkdwn: str, limit: int) -> str:
    """At most `limit` characters of our own mrkdwn, never cut inside an entity, a link, a date token or a fence.

    A code fence that is open at the cut is closed.
    """
    if len(mrkdwn) <= limit:
        return mrkdwn
    kept, in_fence = _whole_pieces(mrkdwn, limit - _MARK_ROOM - len(f"\n{_FENCE}"))
    ending = f"\n{_FENCE}" if in_fence else ""
    return _marked(kept + ending, _left_out(mrkdwn, len(kept)), limit)


def date_token(moment: datetime, form: str = DATE_AND_TIME) -> str:
    """Slack's date token: each reader sees the moment in their own time zone, other clients the UTC in words."""
    return f"<!date^{int(moment.timestamp())}^{form}|{utc(moment)}>"


def utc(moment: datetime) -> str:
    """ "2025-12-20 10:30 UTC", for where there are no date tokens: terminal, tables, fallback texts."""
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
    """As many whole pieces as fit, and whether they end inside a fence."""
    end, in_fence = 0, False
    for whole in _WHOLE.finditer(mrkdwn):
        if whole.end() > room:
            break
        end = whole.end()
        in_fence = in_fence != (whole.group() == _FENCE)
    return mrkdwn[:end], in_fence


def _left_out(text: str, kept: int) -> str:
    """How many characters, and a space; nothing where that is not known."""
    return "" if text.endswith("…") else f"{len(text) - kept} "


def _marked(kept: str, left_out: str, limit: int) -> str:
    """The kept text with the mark; a limit too small for the mark gets what fits of it."""
    mark = f"… {left_out}more"
    text = f"{kept} {mark}" if kept else mark
    return text if len(text) <= limit else mark[: max(limit, 0)]


TITLE_LIMIT = 200  # characters of a title in the message itself
PLACE_LIMIT = 20  # and of a place on a phone


@dataclass(frozen=True)
class FirstLine:
    """`sign`: our own mrkdwn. `place`, `title`: untrusted words. `since`: None: over. `more`: ours, at the end.

    `place_last`: what is wrong comes before where it is. `form`: of the date, as `date_token` takes it.
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
        """The same for a notification, which shows no dates of Slack's, within `PHONE_LIMIT`."""
        since = f" since {clock_time(self.since)}" if self.since else ""
        place = escape(shorten(self.place, PLACE_LIMIT))
        before, after = self._before(place), self._after(place)
        room = PHONE_LIMIT - shown_width(f"{before}{self.more}{since}{after}")
        return f"{before}{escape(shorten(self.title, room))}{since}{self.more}{after}"

    def _bold_title(self) -> str:
        """What is wrong in bold; the numbers behind it need not shout."""
        words, bracket, numbers = escape(self.title, limit=TITLE_LIMIT).partition(" (")
        return f"*{words}*{bracket}{numbers}"

    def _before(self, place: str) -> str:
        return f"{self.sign} {place} · " if place and not self.place_last else f"{self.sign} "

    def _after(self, place: str) -> str:
        return f" · {place}" if place and self.place_last else ""


def mention(slack_id: str) -> str:
    """A user (U…, W…) or a user group (S…); ids are checked where they are read. Who is not in Slack goes by name."""
    outside = outside_name(slack_id)
    if outside is not None:
        return escape(outside, limit=100)
    return f"<!subteam^{slack_id}>" if slack_id.startswith("S") else f"<@{slack_id}>"


def person(who: Person | None, *, otherwise: str = "the terminal") -> str:
    """A person by the id in Slack's signed payload."""
    return mention(who.user_id) if who else otherwise


def channel_name(channel: str) -> str:
    """A channel as the settings name it, by id or by name."""
    is_id = channel[:1] in "CG" and channel.isupper() and channel.isalnum()
    return f"<#{channel}>" if is_id else f"#{escape(channel.removeprefix('#'), limit=100)}"
