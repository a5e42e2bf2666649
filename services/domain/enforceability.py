"""Until when a New York judgment can be collected, and binds real property. Pure; sources in docs/enforcement.md.

Everything is counted from the day of entry, on which the judgment-roll is filed (CPLR 5017); an uploaded file tells
neither that nor the docketing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

LIEN_YEARS = 10  # CPLR 5203(a): a docketed judgment binds real property until so long after the filing of its roll
RENEWAL_OPENS_YEARS = 9  # CPLR 5014: the action for a renewal judgment may begin in the year before the ten are over
PRESUMED_PAID_YEARS = 20  # CPLR 211(b): after that it is presumed paid


def lien_ends_on(entered_on: date) -> date:
    """The day on which the lien on real property ends, unless a renewal judgment follows (CPLR 5014)."""
    return years_after(entered_on, LIEN_YEARS)


def renewal_opens_on(entered_on: date) -> date:
    """From this day on an action may renew the lien. The renewed lien works only once it is granted, so begin early."""
    return years_after(entered_on, RENEWAL_OPENS_YEARS)


def presumed_paid_on(entered_on: date, paid_on: Iterable[date] = ()) -> date:
    """The day from which it is presumed paid.

    A payment within the twenty years begins them anew, as against the one who made it; a written acknowledgment does
    too, but nobody tells us of those.
    """
    end = years_after(entered_on, PRESUMED_PAID_YEARS)
    for day in sorted(paid_on):
        if entered_on <= day < end:
            end = years_after(day, PRESUMED_PAID_YEARS)
    return end


def years_after(day: date, years: int) -> date:
    """The same day `years` later; where there is no 29 February, the 28th (General Construction Law §§ 30, 58)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
