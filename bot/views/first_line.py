"""The first line of what notifies: how it stands, where, what, since when; once for the message, once for a phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.views.text import date_token, escape
from services.domain.phone_lines import PHONE_LIMIT, shorten, shown_width
from services.domain.words import clock_time

TITLE_LIMIT = 200  # characters of a title in the message itself
PLACE_LIMIT = 20  # and of a place on a phone


@dataclass(frozen=True)
class FirstLine:
    """`sign`: our own mrkdwn. `place`, `title`: anybody's words. `since`: None: over. `more`: ours, at the end.

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
