"""When the bot tells by itself that the database is away, in seconds. Short in tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutageSettings:
    """The last leader tells after `tell_after_s`; if it did not, another replica within `others_after_s + spread_s`.

    The spread keeps two that know nothing of each other from looking, and posting, at the same moment.
    """

    tell_after_s: float = 60.0  # a database that is down for a minute is a page
    others_after_s: float = 90.0
    spread_s: float = 60.0
    look_every_s: float = 2.0
    look_back_s: float = 300.0  # a new leader looks for the message of a former one for so long,
    find_every_s: float = 60.0  # and so often
