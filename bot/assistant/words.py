"""The words that evidence keeps and that a claim may use besides those of its lines. Pure data."""

from __future__ import annotations

from collections.abc import Mapping


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words of our own sentences that no program's log is known by.
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

# What carries no claim by itself. No quantity, no negation, no state, no order, no cause, no relation ("from 2 to 4"):
# those have to be read.
GLUE = _set(
    """
    a an the this that these those it its is are was were be been being has have had having do does did there here also
    show shows say says report reports
    """
)

# What is denied, holds under a condition or was taken back later: its part of a line is taken whole or not at all.
SCOPE = _set(
    """
    no not never none nothing neither nor without cannot can't don't doesn't isn't aren't didn't wasn't weren't won't if
    unless until except instead only but would should could may might expected planned likely unknown then later
    afterwards again recovered resolved ended cleared fixed
    """
)

# What a claim says of the past or the future too, where its line does.
TENSES: Mapping[str, frozenset[str]] = {
    "past": _set("was were had been did"),
    "future": _set("will would"),
}

# Without "been": "has been waiting" holds of what is waiting.
PAST = _set("was were had did")

# What a read is about, which its lines need not repeat.
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

# What joins two facts to a conclusion: for claims that are marked as conclusions only. Nothing of order in time, of
# which the lines say whether it is so.
INFERENCE = _set(
    """
    because cause caused causes so therefore likely probably possibly may might could suggest suggests explain explains
    explained by of to and with related consistent fits due result results lead leads led reason
    """
)

# What says that something is not known.
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
