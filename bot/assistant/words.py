"""Word lists: the words that evidence keeps, and those that a claim may add to the words of its lines. Pure data."""

from __future__ import annotations

from collections.abc import Mapping


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words of our own sentences that are not in the list of known program words.
OWN_WORDS = _set(
    """
    api ingest enforcement dragonfly railway supabase postgres slack bot git sha shas utc procfile simplicity payments
    s ms min h d ago since until now today newest oldest latest longest shortest highest throughput backlog heartbeat
    heartbeats queue intake doctor sealed orphaned unclaimed uncommitted preflight audit exposure handover override
    covers level oncall call escalated acknowledged paged assigned silenced silence muted they them their times months
    among differs comparable healthy stale silent beating alive dead likely cause causes follows db url env sev sev1
    sev2 sev3 prod dev staging jan feb mar apr jun jul aug sep oct nov dec anon pid percent rows drain growing grew
    approval approvals approve approved confirmation confirmed requester requesters request refused refusal refusals
    shown firing suppressed detected recovered resolved watching findings took people person notified watched kept
    another away incident incidents
    """
)

# Words that claim nothing by themselves. Quantities, negations, states, orders, causes, relations ("from 2 to 4")
# are not among them: they have to be in a line.
GLUE = _set(
    """
    a an the this that these those it its is are was were be been being has have had having do does did there here also
    show shows say says report reports
    """
)

# Words that negate, limit or revoke: a claim may use their sentence only as a whole.
SCOPE = _set(
    """
    no not never none nothing neither nor without cannot can't don't doesn't isn't aren't didn't wasn't weren't won't if
    unless until except instead only but would should could may might expected planned likely unknown then later
    afterwards again recovered resolved ended cleared fixed
    """
)

# A claim keeps the past or the future of its line.
TENSES: Mapping[str, frozenset[str]] = {
    "past": _set("was were had been did"),
    "future": _set("will would"),
}

# Without "been": "has been waiting" is true of something that waits now.
PAST = _set("was were had did")

# The subject of a read, which its lines need not repeat.
NOUNS: Mapping[str, frozenset[str]] = {
    "heartbeats": _set("worker workers heartbeat heartbeats"),
    "queue": _set("queue job jobs"),
    "throughput": _set("throughput job jobs"),
    "failed-jobs": _set("job jobs"),
    "deployments": _set("deployment deployments service commit"),
    "sha": _set("service commit"),
    "logs": _set("log"),
    "runs": _set("run runs"),
    "silences": _set("silence silences"),
    "migrations": _set("migration migrations"),
    "intake": _set("intake batch batches"),
}

# Words that join two facts to a conclusion, only for inferred claims. None is about order in time, because
# that has to be in the lines.
INFERENCE = _set(
    """
    because cause caused causes so therefore likely probably possibly may might could suggest suggests explain explains
    explained by of to and with related consistent fits due result results lead leads led reason
    """
)

# Words that say that something is unknown.
UNKNOWN = _set("unknown not cannot don't known read reads line lines show tell say whether why how cause reason")

UNITS: Mapping[str, str] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("%", "percent"), "%"),
}

_COUNTED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS: Mapping[str, str] = {word: str(value) for value, word in enumerate(_COUNTED)}
