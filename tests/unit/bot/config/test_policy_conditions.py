"""Policy rules with hours, channels, severities and limits of arguments: deny wins, and no match is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.approvals.access import Allowed, Refused, Verdict, judge, judge_anywhere
from bot.approvals.emergencies import Confirmation, Emergency
from bot.approvals.rules import target_of
from bot.approvals.severities import severities_of
from bot.config.behavior import PeopleSettings
from bot.config.fields import Invalid
from bot.config.policy import Policy, Right, Severities, Target
from bot.config.policy_file import read_policy
from bot.people import Account, People
from services.domain.errors import Unavailable
from services.domain.incidents import IncidentSeverity
from services.domain.people import Person, Profile
from services.domain.services import Service
from tests.incidents import new_incident
from tests.runs import new_run

OPERATORS = PeopleSettings.model_validate({"DRAGONFLY_OPERATORS": "U0OLIVIA"})
OLIVIA = Person("U0OLIVIA", "T1")
PEOPLE = People("T1", {}, {"U0OLIVIA": Account(Profile(team_id="T1"))})
WEDNESDAY = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 1, 11, 12, 0, tzinfo=UTC)

ALLOW = '[[allow]]\nmay = "request"\nwho = ["operators"]\n'
DENY = '[[deny]]\nmay = "request"\nwho = ["*"]\n'


def read(rules: str) -> Policy | Invalid:
    return read_policy(f"version = 1\n{rules}".encode(), "policy.toml", OPERATORS)


def scale(rules: str, to: str | None, *, at: datetime | None = WEDNESDAY, channel: str | None = "C0OPS") -> Verdict:
    policy = read(rules)
    assert isinstance(policy, Policy), policy
    parameters = None if to is None else {"service": "ingest", "to": to}
    target = Target("scale", frozenset({Service.INGEST}), "prod", channel, at, parameters)
    return judge(Right.REQUEST, OLIVIA, target, policy, PEOPLE)


THREE = ALLOW + 'verbs = ["scale"]\narguments = ["replicas <= 3"]\n'


@pytest.mark.parametrize(("to", "verdict"), [("0", Allowed), ("3", Allowed), ("4", Refused), ("x", Refused)])
def test_a_limit_of_an_argument_allows_up_to_it(to: str, verdict: type) -> None:
    assert isinstance(scale(THREE, to), verdict)


def test_a_refusal_names_the_rule_that_would_allow_less() -> None:
    refused = scale(THREE, "4")

    assert isinstance(refused, Refused)
    assert refused.why.endswith("for ingest in prod (line 2 allows it only: replicas <= 3)")
    assert "these arguments" in refused.what_next


@pytest.mark.parametrize(
    "rules",
    [
        ALLOW + 'channels = ["C0OPS"]\n',
        ALLOW + 'hours = ["mon-fri 09:00-17:00"]\n',
        ALLOW + 'severity = ["sev1"]\n',
        DENY + 'channels = ["C0OTHER"]\n' + ALLOW,
        DENY + 'hours = ["weekend 00:00-midnight"]\n' + ALLOW,
    ],
)
def test_a_refusal_here_and_now_does_not_say_that_no_one_ever_can(rules: str) -> None:
    refused = scale(rules, "2", at=SUNDAY, channel="C0OTHER")

    assert isinstance(refused, Refused)
    assert "here and now" in refused.what_next


def test_a_deny_of_many_replicas_wins_over_an_allow_of_all() -> None:
    rules = DENY + 'verbs = ["scale"]\narguments = ["replicas > 5"]\n' + ALLOW

    assert isinstance(scale(rules, "5"), Allowed)
    refused = scale(rules, "6")
    assert isinstance(refused, Refused)
    assert "the policy (line 2)" in refused.why
    assert "these arguments" in refused.what_next
    never = scale(DENY + 'verbs = ["scale"]\n' + ALLOW, "1")
    assert isinstance(never, Refused)
    assert "`check-config`" in never.what_next


def test_while_the_argument_is_not_known_an_allow_may_fit_and_a_deny_may_not() -> None:
    """Before the plan is made, a request that some arguments allow is not refused; the plan is judged with its own."""
    assert isinstance(scale(THREE, None), Allowed)
    assert isinstance(scale(DENY + 'verbs = ["scale"]\narguments = ["replicas > 5"]\n' + ALLOW, None), Allowed)


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (WEDNESDAY.replace(hour=8, minute=59), Refused),
        (WEDNESDAY.replace(hour=9), Allowed),
        (WEDNESDAY.replace(hour=16, minute=59), Allowed),
        (WEDNESDAY.replace(hour=17), Refused),
        (SUNDAY, Refused),
        (None, Refused),
    ],
)
def test_hours_are_part_of_a_rule_and_an_unknown_moment_allows_nothing(at: datetime | None, verdict: type) -> None:
    assert isinstance(scale(ALLOW + 'hours = ["mon-fri 09:00-17:00"]\n', "2", at=at), verdict)


def test_hours_of_a_deny_go_over_midnight_by_the_clock_of_their_zone() -> None:
    rules = DENY + 'hours = ["sat 22:00-06:00 Europe/Berlin"]\n' + ALLOW

    for at, verdict in (
        (datetime(2026, 1, 10, 20, 59, tzinfo=UTC), Allowed),
        (datetime(2026, 1, 10, 21, 0, tzinfo=UTC), Refused),
        (datetime(2026, 1, 11, 4, 59, tzinfo=UTC), Refused),
        (datetime(2026, 1, 11, 5, 0, tzinfo=UTC), Allowed),
        (None, Refused),
    ):
        assert isinstance(scale(rules, "2", at=at), verdict), at


def test_a_change_may_be_bound_to_its_channel_and_is_not_judged_by_it_again_once_it_is_filed() -> None:
    rules = ALLOW + 'channels = ["C0OPS"]\n'
    assert isinstance(scale(rules, "2"), Allowed)
    assert isinstance(scale(rules, "2", channel="C0OTHER"), Refused)
    assert isinstance(scale(rules, "2", channel=None), Refused)
    policy = read(rules)
    assert isinstance(policy, Policy)

    filed = target_of(new_run(WEDNESDAY), at=WEDNESDAY)

    assert isinstance(judge(Right.REQUEST, OLIVIA, filed, policy, PEOPLE), Allowed)


def test_decisions_are_judged_by_their_hour_and_control_of_a_run_is_not() -> None:
    policy = read(ALLOW.replace("request", "approve") + 'hours = ["mon-fri 09:00-17:00"]\n')
    assert isinstance(policy, Policy)
    run = new_run(WEDNESDAY)

    assert isinstance(judge(Right.APPROVE, OLIVIA, target_of(run, at=WEDNESDAY), policy, PEOPLE), Allowed)
    assert isinstance(judge(Right.APPROVE, OLIVIA, target_of(run, at=SUNDAY), policy, PEOPLE), Refused)
    assert isinstance(judge(Right.APPROVE, OLIVIA, target_of(run), policy, PEOPLE), Allowed)


def test_nothing_is_read_for_a_person_who_may_not_ask_in_this_channel_or_hour() -> None:
    policy = read(ALLOW + 'hours = ["mon-fri 09:00-17:00"]\nchannels = ["C0OPS"]\n')
    assert isinstance(policy, Policy)

    for channel, at, verdict in (("C0OPS", WEDNESDAY, Allowed), ("C0OPS", SUNDAY, Refused), ("C1", WEDNESDAY, Refused)):
        target = Target("deploy", frozenset(), "prod", channel, at)
        assert isinstance(judge_anywhere(Right.REQUEST, OLIVIA, target, policy, PEOPLE), verdict)


def test_empty_lists_allow_no_one() -> None:
    assert isinstance(scale(ALLOW + "hours = []\n", "2"), Refused)
    assert isinstance(scale(ALLOW + "channels = []\n", "2"), Refused)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('arguments = ["replicas <= 3"]\n', "`arguments` is for `scale` only"),
        ('verbs = ["scale", "restart"]\narguments = ["replicas <= 3"]\n', "`arguments` is for `scale` only"),
        ('verbs = ["scale"]\narguments = ["copies <= 3"]\n', "`arguments` has"),
        ('verbs = ["scale"]\narguments = ["replicas = 3"]\n', "`arguments` has"),
        ('hours = ["mon-fri"]\n', "`hours` has"),
        ('hours = ["mon-fri 09:00-25:00"]\n', "`hours` has"),
        ('hours = ["mon-fri 09:00-17:00 Mars/Base"]\n', "`hours` has"),
        ('hours = "always"\n', "`hours` is not"),
    ],
)
def test_mistakes_name_their_line_and_the_file_is_not_used(more: str, problem: str) -> None:
    found = read(ALLOW + more)

    assert isinstance(found, Invalid)
    assert problem in str(found.faults[0])
    assert "line" in found.faults[0].variable


@pytest.mark.parametrize("narrowed", ['hours = ["weekend 00:00-midnight"]', 'channels = ["C0OPS"]'])
@pytest.mark.parametrize(
    ("verb", "verbs", "verdict"),
    [
        ("stop-workers", "", Allowed),
        ("rollback", "", Allowed),
        ("rollback-db", "", Allowed),
        ("restart", "", Allowed),
        ("unlock", "", Refused),
        ("scale", "", Refused),
        ("rollback", 'verbs = ["rollback"]', Refused),
    ],
)
def test_a_deny_of_hours_or_channels_holds_an_emergency_back_only_by_its_name(
    narrowed: str, verb: str, verbs: str, verdict: type
) -> None:
    policy = read(f"{ALLOW}{DENY}{narrowed}\n{verbs}\n")
    assert isinstance(policy, Policy), policy
    target = Target(verb, frozenset({Service.INGEST}), "prod", "C0OPS", SUNDAY, {"service": "ingest"})

    assert isinstance(judge(Right.REQUEST, OLIVIA, target, policy, PEOPLE), verdict)


IN_SEV1 = ALLOW + 'severity = ["sev1", "sev2"]\n'
NOT_IN_SEV3 = DENY + 'severity = ["sev3"]\n' + ALLOW
UNKNOWN = Unavailable("database", "no answer within 5 s")


def open_on(severities: Mapping[Service | None, IncidentSeverity]) -> Severities:
    """The severities of incidents that alerts or several people confirm."""
    return Severities(severities, severities)


RAISED = Severities({Service.INGEST: IncidentSeverity.SEV1}, {Service.INGEST: IncidentSeverity.SEV3})


@pytest.mark.parametrize(
    ("incidents", "allowed", "not_denied"),
    [
        (open_on({Service.INGEST: IncidentSeverity.SEV1}), Allowed, Allowed),
        (open_on({Service.INGEST: IncidentSeverity.SEV2}), Allowed, Allowed),
        (open_on({Service.INGEST: IncidentSeverity.SEV3}), Refused, Refused),
        (open_on({Service.API: IncidentSeverity.SEV1}), Refused, Allowed),
        (open_on({}), Refused, Allowed),
        (RAISED, Refused, Refused),
        (Severities(RAISED.confirmed, RAISED.stated), Refused, Refused),
        (UNKNOWN, Refused, Refused),
        (None, Refused, Refused),
    ],
)
def test_severity_of_the_open_incident_is_part_of_a_rule_and_unknown_allows_nothing_and_denies(
    incidents: Severities | Unavailable | None, allowed: type, not_denied: type
) -> None:
    """An incident of another service does not count; without an incident there is no severity."""
    for rules, verdict in ((IN_SEV1, allowed), (NOT_IN_SEV3, not_denied)):
        policy = read(rules)
        assert isinstance(policy, Policy), policy
        target = Target("scale", frozenset({Service.INGEST}), "prod", "C0OPS", WEDNESDAY, incidents=incidents)
        assert isinstance(judge(Right.REQUEST, OLIVIA, target, policy, PEOPLE), verdict), rules


def test_each_service_is_judged_by_its_own_incident() -> None:
    policy = read(IN_SEV1)
    assert isinstance(policy, Policy)
    both = frozenset({Service.API, Service.INGEST})

    cases: tuple[tuple[Severities, type], ...] = (
        (open_on({Service.API: IncidentSeverity.SEV1}), Refused),
        (open_on({Service.API: IncidentSeverity.SEV1, Service.INGEST: IncidentSeverity.SEV2}), Allowed),
    )
    for severities, verdict in cases:
        target = Target("rollback", both, "prod", at=WEDNESDAY, incidents=severities)
        assert isinstance(judge(Right.REQUEST, OLIVIA, target, policy, PEOPLE), verdict)


def test_a_refusal_names_the_severity_under_which_the_rule_would_allow_it() -> None:
    policy = read(IN_SEV1)
    assert isinstance(policy, Policy)
    target = Target("scale", frozenset({Service.INGEST}), "prod", at=WEDNESDAY, incidents=open_on({}))

    refused = judge(Right.REQUEST, OLIVIA, target, policy, PEOPLE)

    assert isinstance(refused, Refused)
    assert refused.why.endswith("(line 2 allows it only: in an open SEV1 or SEV2)")


def test_an_approvers_severity_counts_at_the_click_and_not_afterwards() -> None:
    policy = read(ALLOW.replace("request", "approve") + 'severity = ["sev1"]\n')
    assert isinstance(policy, Policy)
    run = new_run(WEDNESDAY)

    cases: tuple[tuple[Severities | Unavailable | None, type], ...] = (
        (open_on({Service(name): IncidentSeverity.SEV1 for name in run.services}), Allowed),
        (open_on({}), Refused),
        (UNKNOWN, Refused),
        (None, Allowed),
    )
    for incidents, verdict in cases:
        target = target_of(run, at=WEDNESDAY, incidents=incidents)
        assert isinstance(judge(Right.APPROVE, OLIVIA, target, policy, PEOPLE), verdict), incidents


def test_the_most_severe_open_incident_of_the_environment_counts_for_each_service() -> None:
    incidents = [
        new_incident(1, at=SUNDAY, severity=IncidentSeverity.SEV3, services=(Service.API.value, Service.INGEST.value)),
        new_incident(2, at=SUNDAY, services=(Service.API.value,)),
        new_incident(3, at=SUNDAY, services=(Service.ENFORCEMENT.value,), environment="dev"),
    ]

    found = severities_of(map(Emergency, incidents), "prod")

    assert found.stated == found.confirmed
    assert found.stated[Service.API] is IncidentSeverity.SEV1
    assert found.stated[Service.INGEST] is IncidentSeverity.SEV3
    assert Service.ENFORCEMENT not in found.stated
    assert found.stated[None] is IncidentSeverity.SEV1  # of a change that touches no service: any


BEN = Person("U0BEN", "T1")
MINE = Emergency(new_incident(1, at=SUNDAY, opened_by=OLIVIA), [Confirmation(OLIVIA.user_id)])


def test_an_incident_that_only_the_person_reports_is_stated_and_not_confirmed() -> None:
    """It gives its opener no right, and frees them from no deny; for everyone else it counts."""
    own = severities_of([MINE], "prod", OLIVIA)

    assert (own.stated[Service.INGEST], own.confirmed) == (IncidentSeverity.SEV1, {})
    confirmed = replace(MINE, confirmations=[Confirmation(BEN.user_id), *MINE.confirmations])  # Olivia took it over
    for emergency, person in ((MINE, BEN), (MINE, None), (confirmed, OLIVIA)):
        assert severities_of([emergency], "prod", person).confirmed[Service.INGEST] is IncidentSeverity.SEV1


def test_a_change_of_the_severity_by_the_person_counts_for_others_only() -> None:
    for before, after in (
        (IncidentSeverity.SEV3, IncidentSeverity.SEV1),
        (IncidentSeverity.SEV1, IncidentSeverity.SEV2),
    ):
        incident = new_incident(1, at=SUNDAY, opened_by=BEN, severity=after)
        changed = Emergency(incident, [Confirmation(OLIVIA.user_id, after, before)])
        own, others = severities_of([changed], "prod", OLIVIA), severities_of([changed], "prod", BEN)

        assert (own.stated[Service.INGEST], own.confirmed[Service.INGEST]) == (after, before)
        assert (others.stated[Service.INGEST], others.confirmed[Service.INGEST]) == (after, after)


def test_a_drill_is_no_incident_for_the_policy() -> None:
    drill = Emergency(new_incident(1, at=SUNDAY, fingerprint="drill.1"), [Confirmation(BEN.user_id)])

    assert severities_of([drill], "prod", OLIVIA) == Severities({}, {})


def test_a_deny_for_a_severity_binds_who_reports_it_alone_and_the_refusal_says_what_an_allow_lacks() -> None:
    allow = read(IN_SEV1)
    deny = read(DENY + 'severity = ["sev1"]\n' + ALLOW)
    assert isinstance(allow, Policy)
    assert isinstance(deny, Policy)
    target = Target(
        *("scale", frozenset({Service.INGEST}), "prod", "C0OPS", WEDNESDAY),
        incidents=severities_of([MINE], "prod", OLIVIA),
    )

    refused = judge(Right.REQUEST, OLIVIA, target, allow, PEOPLE)

    assert isinstance(refused, Refused)
    assert "counts once an alert or another person confirms it" in refused.why
    assert isinstance(judge(Right.REQUEST, OLIVIA, target, deny, PEOPLE), Refused)
