"""The check of a model's claims: each kind of false claim is dropped, and what was read passes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.assistant.check import MAX_TEXT, Claim, ClaimKind, check, content, why_dropped
from bot.assistant.evidence import Line, collect

LINES = collect(
    [
        (
            "heartbeats",
            "🔴 wrong: ingest 0 of 2 alive — last beat 6 min ago; 1 missing\n"
            "✅ enforcement 1 of 1 alive — last beat 0 s ago\n"
            "no worker is alive today",
        ),
        ("queue", "318 waiting, oldest 9 min\n❔ lock waits unknown — no answer within 5 s"),
        ("recent-changes", "10:15 · Deployed a1b2c3d4 to ingest by Ann"),
        (
            "doctor all",
            "🔴 ingest crashed at 10:16 after a1b2c3d4. Roll back ingest.\n✅ api is fine; enforcement failed",
        ),
        (
            "health",
            "ingest is not stale; enforcement is stale\n5 failed · 12 completed — 40 waiting · 0.5% failed\n"
            "Scaled ingest from 2 to 4\ningest recovering\ningest was down\nno worker, job or lock is stale\n"
            "if ingest is stopped, enforcement is fine",
        ),
    ]
)
KNOWN = {line.id: line for line in LINES}
INGEST, ENFORCEMENT, NONE, WAITING, LOCKS, DEPLOY, CAUSE, FINE, *MORE = (line.id for line in LINES)
MIXED, COUNTS, SCALED, RECOVERING, WAS, NEITHER, IF = MORE


def why(kind: str, text: str, *evidence: str, quote: str = "", question: str = "") -> str | None:
    return why_dropped(Claim(ClaimKind(kind), text, evidence, quote), KNOWN, question)


@pytest.mark.parametrize(
    ("kind", "text", "evidence", "quote"),
    [
        ("observed", "Ingest has 0 of 2 workers alive.", [INGEST], "ingest 0 of 2 alive"),
        ("observed", "wrong: ingest 0 of 2 alive", [INGEST], "wrong: ingest 0 of 2 alive"),
        ("observed", "Ingest: the last beat was 6 minutes ago.", [INGEST], "last beat 6 min ago"),
        ("observed", "318 jobs are waiting, the oldest 9 min.", [WAITING], "318 waiting, oldest 9 min"),
        ("observed", "318 are waiting", [WAITING], "318 waiting, oldest 9 min"),
        ("observed", "Deployed a1b2c3d4 to ingest", [DEPLOY], "Deployed a1b2c3d4 to ingest"),
        ("observed", "At 10:15", [DEPLOY], "10:15"),
        ("observed", "No worker is alive today", [NONE], "no worker is alive today"),
        ("observed", "Enforcement is stale", [MIXED], "enforcement is stale"),
        ("inferred", "Likely because Deployed a1b2c3d4 to ingest, ingest has 0 of 2 alive", [DEPLOY, INGEST], ""),
        ("inferred", "Likely ingest crashed at 10:16 after a1b2c3d4", [CAUSE], ""),
        ("unknown", "Lock waits are unknown.", [LOCKS], ""),
        ("unknown", "It is unknown.", [], ""),
        ("unknown", "The lines don't say why.", [], ""),
    ],
)
def test_claim_that_its_evidence_supports_passes(kind: str, text: str, evidence: list[str], quote: str) -> None:
    expected = "does not say what a whole clause of its line says" if text == "At 10:15" else None

    assert why(kind, text, *evidence, quote=quote) == expected


@pytest.mark.parametrize(
    ("text", "evidence", "quote"),
    [
        ("The workers are alive", [INGEST], "alive"),  # without its count
        ("It is alive", [INGEST], "alive"),
        ("The last beat was 0 s ago", [ENFORCEMENT], "last beat 0 s ago"),  # without its service
        ("Ingest: the last beat was 0 s ago", [ENFORCEMENT], "last beat 0 s ago"),
        ("Enforcement is not stale", [MIXED], "not stale; enforcement"),
        ("Stale is enforcement", [MIXED], "stale; enforcement"),
        ("Ingest is stale", [MIXED], "ingest is not stale"),
        ("failed 12", [COUNTS], "failed · 12"),  # a number of one clause with the word of another
        ("completed: 40 waiting", [COUNTS], "completed — 40 waiting"),
        ("5% failed", [COUNTS], "5% failed"),
        ("31,8 waiting", [WAITING], "318 waiting"),  # no thousands
        ("0318 waiting", [WAITING], "318 waiting"),
        ("about 300 waiting", [WAITING], "318 waiting"),
        ("three hundred waiting", [WAITING], "318 waiting"),
        ("Scaled ingest to 2 from 4", [SCALED], "Scaled ingest from 2 to 4"),  # another relation
        ("Scaled ingest from 2", [SCALED], "Scaled ingest from 2"),
        ("Ingest has recovered", [RECOVERING], "ingest recovering"),  # another aspect
        ("Ingest recovers", [RECOVERING], "ingest recovering"),
        ("Ingest is down now", [WAS], "ingest was down"),
        ("Ingest is down", [WAS], "ingest was down"),  # another tense
        ("Job or lock is stale", [NEITHER], "job or lock is stale"),  # under a negation before the comma
        ("Enforcement is fine", [IF], "enforcement is fine"),  # under a condition
        ("At 10:15 pm deployed a1b2c3d4 to ingest", [DEPLOY], "10:15 · Deployed a1b2c3d4 to ingest"),
    ],
)
def test_a_part_that_says_something_else_than_the_whole_is_dropped(text: str, evidence: list[str], quote: str) -> None:
    assert why("observed", text, *evidence, quote=quote) is not None


@pytest.mark.parametrize(
    ("text", "evidence", "quote"),
    [
        ("Ingest has 2 of 2 workers alive.", [INGEST], "ingest 0 of 2 alive"),  # a number used twice
        ("2 alive", [INGEST], "2 alive"),  # a number taken apart
        ("18 waiting", [WAITING], "18 waiting"),  # a part of a number
        ("9 jobs are waiting", [WAITING], "318 waiting, oldest 9 min"),  # another number of the line
        ("319 jobs are waiting", [WAITING], "318 waiting"),
        ("The last beat was 6 s ago", [INGEST], "last beat 6 min ago"),  # another unit
        ("The last beat was 6 ago", [INGEST], "last beat 6 min ago"),
        ("Enforcement has 0 of 2 alive", [INGEST], "ingest 0 of 2 alive"),  # another service
        ("Enforcement has 0 of 2 alive", [INGEST, ENFORCEMENT], "ingest 0 of 2 alive"),
        ("Deployed a1b2c3d5 to ingest", [DEPLOY], "Deployed a1b2c3d4 to ingest"),  # another commit
        ("Deployed a1b2c3d4e to ingest", [DEPLOY], "Deployed a1b2c3d4 to ingest"),
        ("10:16 Deployed", [DEPLOY], "10:15 · Deployed"),  # another time
        ("Deployed a1b2c3d4 to ingest by Ann", [DEPLOY], "Deployed a1b2c3d4 to ingest"),  # a name
        ("Ingest has 0 of 2 dead", [INGEST], "ingest 0 of 2 alive"),  # another state
        ("A worker is alive today", [NONE], "worker is alive today"),
        ("Ingest does not have 0 of 2 alive", [INGEST], "ingest 0 of 2 alive"),
        ("Ingest has zero of two alive, all three missing", [INGEST], "ingest 0 of 2 alive"),
        ("All of ingest is alive", [INGEST], "ingest 0 of 2 alive"),  # a quantity
        ("Ingest has 0 of 2 alive because of the deploy", [INGEST], "ingest 0 of 2 alive"),  # a cause
        ("ingest 1 of 2 alive", [INGEST], "ingest 1 of 2 alive"),  # an invented quote
        ("ingest 0 of 2 alive", [ENFORCEMENT], "ingest 0 of 2 alive"),  # a quote of another line
        ("ingest 0 of 2 alive", ["E99"], "ingest 0 of 2 alive"),  # a line that was not read
        ("ingest 0 of 2 alive", [], "ingest 0 of 2 alive"),
        ("ingest 0 of 2 alive", [INGEST], ""),  # no quote
        ("ingest 0 of 2 alive", [INGEST], " "),
        ("It is as it was.", [INGEST], "ingest 0 of 2 alive"),  # nothing
        ("", [INGEST], "ingest 0 of 2 alive"),
        ("waiting " * (MAX_TEXT // 8 + 1), [WAITING], "318 waiting"),
    ],
)
def test_a_lie_is_dropped(text: str, evidence: list[str], quote: str) -> None:
    assert why("observed", text, *evidence, quote=quote) is not None


@pytest.mark.parametrize(
    "addition",
    ["<!channel>", "<@U0ANN>", "@here", "#general", "https://evil.example", "www.evil.example", "evil.com",
     "*Approved*", "`x`", "[x](y)", ":fire:", "\u202e", "\n", "é"],
)  # fmt: skip
def test_no_link_mention_or_markup_passes(addition: str) -> None:
    assert why("observed", f"ingest 0 of 2 alive {addition}", INGEST, quote="ingest 0 of 2 alive") is not None
    assert why("unknown", f"It is unknown {addition}", question=addition) is not None


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Likely ingest crashed", [INGEST]),  # one line that is no finding
        ("Likely a1b2c3d4 caused it: 400 waiting", [DEPLOY, WAITING]),
        ("Likely enforcement was deployed at 10:15", [DEPLOY, INGEST]),
        ("Likely a1b2c3d4 was deployed", [DEPLOY, WAITING]),  # a line that it does not use
        ("Likely the worker is alive today, 318 waiting", [NONE, WAITING]),  # without its negation
        ("Likely the api failed", [FINE]),  # the state of another service
        ("Likely enforcement is fine, api failed", [FINE]),
        ("Likely ingest crashed at 10:16 before a1b2c3d4", [CAUSE]),  # another order
        ("Likely ingest crashed at 10:16 because of a1b2c3d4", [CAUSE]),
        ("Likely ingest 0 of 2 alive before Deployed a1b2c3d4 to ingest", [INGEST, DEPLOY]),
        ("Likely Kowalski broke ingest with a1b2c3d4", [DEPLOY, INGEST]),
    ],
)
def test_a_conclusion_says_nothing_that_its_lines_do_not_say(text: str, evidence: list[str]) -> None:
    assert why("inferred", text, *evidence) is not None


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Lock waits are fine", [LOCKS]),
        ("ingest is unknown", [INGEST]),  # its line says what it is
        ("It is unknown whether 400 jobs failed", []),
        ("Ann knows why", []),
        ("No cause is known", []),
        ("There is no reason", []),
        ("No", []),
        ("The lines don't say why; ingest", []),
    ],
)
def test_an_unknown_asserts_nothing(text: str, evidence: list[str]) -> None:
    assert why("unknown", text, *evidence) is not None


def test_an_unknown_that_repeats_the_question_asserts_nothing_of_it() -> None:
    assert why("unknown", "ingest is dead and why is unknown.", question="why is ingest dead and slow?") is not None
    assert why("unknown", "ingest dead. It is unknown.", question="is ingest dead?") is not None


DOWN = "ingest is down 6 min \u00b7 elsewhere: api rolled back to 8d02b64e \u00b7 318 waiting \u00b7 DB ok"


@pytest.mark.parametrize(
    ("line", "text", "quote"),
    [
        (DOWN, "Api has 318 waiting", "318 waiting"),  # of the service of the sentence before
        (DOWN, "Api: the DB is ok", "DB ok"),
        (DOWN, "Ingest: the DB is ok", "DB ok"),
        ("ingest is down \u00b7 elsewhere: api deploy e9a70d3b \u00b7 crashed", "Api crashed", "crashed"),
        ("run 12: rollback ingest, succeeded", "Ingest succeeded", "succeeded"),  # of the object
        ("run 12: rollback ingest \u00b7 succeeded", "Ingest succeeded", "succeeded"),
        ("ingest is down; api/enforcement rolled back; crashed", "Ingest crashed", "crashed"),
        ("ingest is down; Api\u2019s deploy; crashed", "Ingest crashed", "crashed"),
        ("ingest is down \u00b7 api failed", "Ingest failed", "failed"),
        ("ingest is down \u00b7 api failed", "api failed", "failed"),  # its quote does not name it
    ],
)
def test_no_clause_gets_a_service_of_another_sentence_of_a_line_with_two(line: str, text: str, quote: str) -> None:
    known = {"E1": Line("E1", "health", line)}

    assert why_dropped(Claim(ClaimKind.OBSERVED, text, ("E1",), quote), known) is not None
    doctor = {"E1": Line("E1", "doctor all", line, is_finding=True)}
    assert why_dropped(Claim(ClaimKind.INFERRED, f"Likely {text}", ("E1",)), doctor) is not None or text == "api failed"


def test_a_clause_gets_the_one_service_that_its_line_begins_with_and_otherwise_stands_alone() -> None:
    one = {"E1": Line("E1", "health", "wrong: ingest 0 of 2 alive \u00b7 last beat 6 min ago")}
    two = {"E1": Line("E1", "health", DOWN)}

    assert (
        why_dropped(Claim(ClaimKind.OBSERVED, "Ingest last beat 6 min ago", ("E1",), "last beat 6 min ago"), one)
        is None
    )
    assert (
        why_dropped(Claim(ClaimKind.OBSERVED, "Last beat 6 min ago", ("E1",), "last beat 6 min ago"), one) is not None
    )
    assert why_dropped(Claim(ClaimKind.OBSERVED, "318 waiting", ("E1",), "318 waiting"), two) is None


def test_an_observed_claim_names_only_the_line_in_which_its_quote_stands() -> None:
    claim = Claim(ClaimKind.OBSERVED, "318 waiting", (CAUSE, WAITING), "318 waiting")

    [proved] = check([claim], LINES).proved

    assert [line.id for line in proved.lines] == [WAITING]


def test_an_unknown_may_repeat_the_question() -> None:
    text = "Why the enforcement job failed is unknown."

    assert why("unknown", text) is not None
    assert why("unknown", text, question="why did the enforcement job fail? failed") is None


def test_claims_that_fail_are_counted_and_the_others_stand() -> None:
    true = Claim(ClaimKind.OBSERVED, "318 waiting", (WAITING,), "318 waiting")
    false = Claim(ClaimKind.OBSERVED, "319 waiting", (WAITING,), "318 waiting")

    checked = check([true, false, true], LINES)

    assert [one.claim for one in checked.proved] == [true]
    assert checked.dropped == ("does not say what a whole clause of its line says", "repeated")


# A liar changes one thing that its line says, or adds one.

SUBJECTS = ("api", "ingest", "enforcement")
STATES = ("alive", "missing", "waiting", "failed", "completed", "stale")


@st.composite
def true_claims(draw: st.DrawFn) -> tuple[Claim, Line]:
    """A line, and a claim that repeats it with other words of GLUE."""
    subject, state = draw(st.sampled_from(SUBJECTS)), draw(st.sampled_from(STATES))
    some, all_of = draw(st.integers(0, 400)), draw(st.integers(401, 900))
    age, sha = draw(st.integers(1, 59)), draw(st.from_regex(r"\A[0-9a-f]{7}[0-9]\Z"))
    part = f"{subject} {some} of {all_of} {state}"
    line = Line("E1", "queue", f"{part} — oldest {age} min; deployed {sha} at 10:15")
    quote, text = draw(
        st.sampled_from(
            [
                (part, f"{subject} has {some} of {all_of} {state}."),
                (f"oldest {age} min", f"{subject}: the oldest is {age} minutes."),
                (f"deployed {sha} at 10:15", f"{subject} has been deployed {sha}, at 10:15."),
                (part, f"The queue shows {subject} has {some} of {all_of} jobs {state}"),
            ]
        )
    )
    return Claim(ClaimKind.OBSERVED, text, ("E1",), quote), line


@settings(max_examples=60)
@given(true_claims())
def test_no_true_claim_is_dropped(given_claim: tuple[Claim, Line]) -> None:
    claim, line = given_claim

    assert why_dropped(claim, {line.id: line}) is None


def lies(claim: Claim) -> list[Claim]:
    """The claim with each of its words changed, one at a time, and with something added or denied."""
    words = claim.text.split()
    changed: list[str] = []
    for at, word in enumerate(words):
        if any(map(str.isdigit, word)):
            digits = "".join(str((int(one) + 1) % 10) if one.isdigit() else one for one in word)
            changed.append(" ".join([*words[:at], digits, *words[at + 1 :]]))
        for group in (SUBJECTS, STATES):
            if word.strip(".,") in group:
                others = [one for one in group if one != word.strip(".,")]
                changed += [" ".join([*words[:at], other, *words[at + 1 :]]) for other in others]
    changed += [f"{claim.text} {tail}" for tail in ("not", "7 failed", "by Ann", "because of ingest", "<!here>")]
    changed += [f"{head} {claim.text}" for head in ("Not true that", "No longer:", "All fine:", "Soon")]
    texts = [Claim(claim.kind, text, claim.evidence, claim.quote) for text in changed]
    invented = Claim(claim.kind, claim.text, claim.evidence, f"{claim.quote} 12")
    return [*texts, invented, Claim(claim.kind, claim.text, ("E2",), claim.quote)]


@settings(max_examples=60)
@given(true_claims())
def test_every_lie_is_dropped(given_claim: tuple[Claim, Line]) -> None:
    claim, line = given_claim

    reported = [
        lie for lie in lies(claim) if lie.text != claim.text or lie.quote != claim.quote or lie.evidence != ("E1",)
    ]

    assert reported
    for lie in reported:
        assert why_dropped(lie, {line.id: line}) is not None, lie


@settings(max_examples=60)
@given(st.text(), st.text(), st.sampled_from(list(ClaimKind)))
def test_arbitrary_text_never_passes_with_words_of_its_own(text: str, quote: str, kind: ClaimKind) -> None:
    claim = Claim(kind, text, (INGEST, DEPLOY), quote)

    if why_dropped(claim, KNOWN) is None:
        there = {word for line in LINES for word in content(line.text, nouns=set())}
        assert set(content(text, nouns=set())) <= there or kind is not ClaimKind.OBSERVED


@pytest.mark.parametrize(
    ("reported", "why"),
    [
        ("see evil.com", "has a link"),
        ("see https://evil.example", "has a link"),
        ("see //evil", "has a link"),
        ("*approved*", "has markup or a mention"),
        ("@here look", "has markup or a mention"),
        ("look :fire:", "has markup or a mention"),
        ("caf\u00e9 is down", "has characters that are not plain text"),
    ],
)
def test_claim_with_a_link_or_markup_is_dropped_even_with_evidence(reported: str, why: str) -> None:
    assert (
        why_dropped(Claim(ClaimKind.OBSERVED, reported, ("E1",), reported), {"E1": Line("E1", "logs", reported)}) == why
    )


@pytest.mark.parametrize("quote", ["2 running \u00b7 318 waiting", "318 waiting \u00b7 oldest 9", "18 waiting"])
def test_a_quote_cut_within_a_number_or_a_unit_is_no_quote(quote: str) -> None:
    known = {"E1": Line("E1", "queue", "12 running \u00b7 318 waiting \u00b7 oldest 9m")}

    assert why_dropped(Claim(ClaimKind.OBSERVED, "318 waiting", ("E1",), quote), known) == "quotes what no line says"


SCEPTIC = {
    line.id: line
    for line in collect(
        [
            ("queue", "🔴 wrong: 318 waiting, 12 running — oldest 9 min · 5 stuck"),
            ("deployments", "api runs a1b2c3d4 · deployed 2025-12-20 10:30 UTC · before it 0ddba110 · removed"),
            ("doctor all", "🔴 ingest is down (0 of 2) since 10:16 UTC. Roll back ingest. 318 waiting."),
            (
                "recent-changes",
                "10:20 · Rolled back api to 0ddba110 · succeeded\n10:21 · Deployed a1b2c3d4 to api by Ann",
            ),
            ("failed-jobs", "no Kowalski batch failed\n2 Kowalski jobs failed\nKowalski failed\nfailed in Kowalski"),
            ("migrations", "12 applied, 1 pending\nmigration 0042 failed, then applied\n3 failed, recovered"),
        ]
    )
}
JOBS, DEPLOYED, DOWN_SINCE, ROLLED_BACK, BY, NO_BATCH, SOME, SUBJECTLESS, PLACE, APPLIED, THEN, BACK = SCEPTIC

TRUE = (
    ("318 jobs are waiting", JOBS, "318 waiting"),
    ("318 waiting, 12 running", JOBS, "318 waiting, 12 running"),
    ("Five stuck", JOBS, "5 stuck"),
    ("5 have been stuck", JOBS, "5 stuck"),
    ("12 applied, 1 migration pending", APPLIED, "12 applied, 1 pending"),
    ("Deployed a1b2c3d4 to api", BY, "Deployed a1b2c3d4 to api"),
    ("10:20 Rolled back api to 0ddba110, succeeded", ROLLED_BACK, "10:20 · Rolled back api to 0ddba110 · succeeded"),
    ("ingest is down (0 of 2) since 10:16 UTC", DOWN_SINCE, "ingest is down (0 of 2) since 10:16 UTC"),
)
LIES = (
    # numbers in other forms, and signs that change them
    (".5 stuck", JOBS, "5 stuck"),
    ("is ,5 stuck", JOBS, "5 stuck"),
    ("-5 stuck", JOBS, "5 stuck"),
    ("3,18 waiting", JOBS, "318 waiting"),
    ("318,000 waiting", JOBS, "318 waiting"),
    ("318k waiting", JOBS, "318 waiting"),
    ("318 thousand waiting", JOBS, "318 waiting"),
    ("A dozen running", JOBS, "12 running"),
    ("318 / 2 waiting", JOBS, "318 waiting"),
    ("318 != waiting", JOBS, "318 waiting"),
    ("+318 waiting", JOBS, "318 waiting"),
    ("5% stuck", JOBS, "5 stuck"),
    ("The oldest is 9 h", JOBS, "oldest 9 min"),
    ("42 failed", THEN, "migration 0042 failed"),
    # no statements
    ("318 waiting?", JOBS, "318 waiting"),
    ("318 waiting!", JOBS, "318 waiting"),
    ('318 "waiting"', JOBS, "318 waiting"),
    # another tense: it is no longer so
    ("5 were stuck", JOBS, "5 stuck"),
    ("5 had been stuck", JOBS, "5 stuck"),
    ("318 jobs were waiting", JOBS, "318 waiting"),
    # what a later clause of the sentence takes back
    ("Migration 0042 failed", THEN, "migration 0042 failed"),
    ("3 failed", BACK, "3 failed"),
    # a clause of something else than what its line is about
    ("Api is removed", DEPLOYED, "removed"),
    ("Removed", DEPLOYED, "removed"),
    ("a1b2c3d4 is removed", DEPLOYED, "removed"),
    ("Ingest has 318 waiting", DOWN_SINCE, "318 waiting"),
    ("Api has succeeded", ROLLED_BACK, "succeeded"),
    ("Succeeded", ROLLED_BACK, "succeeded"),
    ("api runs 0ddba110", DEPLOYED, "before it 0ddba110"),
    # times in other zones
    ("ingest is down (0 of 2) since 10:16", DOWN_SINCE, "ingest is down (0 of 2) since 10:16 UTC"),
    ("ingest is down (0 of 2) since 10:16 CET", DOWN_SINCE, "ingest is down (0 of 2) since 10:16 UTC"),
    ("ingest is down (0 of 2) since 11:16 UTC", DOWN_SINCE, "ingest is down (0 of 2) since 10:16 UTC"),
    ("ingest is down (0 of 2) since 10:16 am UTC", DOWN_SINCE, "ingest is down (0 of 2) since 10:16 UTC"),
    ("Ingest has been rolled back", DOWN_SINCE, "Roll back ingest"),
    # a hidden word limits the rest
    ("No batch failed", NO_BATCH, "batch failed"),
    ("2 jobs failed", SOME, "jobs failed"),
    ("It failed", SUBJECTLESS, "failed"),
    ("It failed", PLACE, "failed"),
)


def test_a_sceptics_claims_are_dropped_and_the_true_ones_stand() -> None:
    def dropped(claims: Sequence[tuple[str, str, str]]) -> list[str]:
        reported = [Claim(ClaimKind.OBSERVED, text, (line,), quote) for text, line, quote in claims]
        return [one.text for one in reported if why_dropped(one, SCEPTIC)]

    assert dropped(TRUE) == []
    assert dropped(LIES) == [text for text, *_ in LIES]
    inferred = [Claim(ClaimKind.INFERRED, f"Likely {text}", (DOWN_SINCE, JOBS)) for text in ("318 waiting?", "removed")]
    assert all(why_dropped(one, SCEPTIC) for one in inferred)
