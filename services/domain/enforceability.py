"""Until when a New York judgment can be collected, and binds real property. Pure; sources in docs/enforcement.md."""

from __future__ import annotations

from datetime import date

LIEN_YEARS = 10  # CPLR 5203: how long a docketed judgment binds real property
PRESUMED_PAID_YEARS = 20  # CPLR 211(b): after that it is presumed paid


def lien_ends_on(docketed_on: date) -> date:
    """The day on which the lien on real property ends, unless it is renewed before (CPLR 5014)."""
    return years_after(docketed_on, LIEN_YEARS)


def presumed_paid_on(entered_on: date) -> date:
    """The day from which it is presumed paid. A payment or acknowledgment begins the years anew: unknown here."""
    return years_after(entered_on, PRESUMED_PAID_YEARS)


def years_after(day: date, years: int) -> date:
    """The same day `years` later; where there is no 29 February, the 28th: the earlier day is the safe one."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
