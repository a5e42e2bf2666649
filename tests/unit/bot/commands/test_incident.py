"""Parsing of the lines of `incident`, in the thread of an incident and outside it."""

from __future__ import annotations

import pytest

from bot.commands.arguments import parse_reason
from bot.commands.context import parse_severity
from bot.commands.incident import parse_open
from bot.commands.parsing import with_service
from bot.commands.registry import REGISTRY, find
from services.domain.errors import UsageError
from services.domain.incidents import IncidentSeverity
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.bot.incidents.builders import incident

HERE = incident()


@pytest.mark.parametrize(
    ("line", "severity", "services", "title"),
    [
        ("payments have stopped", IncidentSeverity.SEV2, (), "payments have stopped"),
        ("sev1 refunds have stopped", IncidentSeverity.SEV1, (), "refunds have stopped"),
        ("SEV3 api is a bit slow", IncidentSeverity.SEV3, (Service.API,), "api is a bit slow"),
        ("api is a bit slow sev3", IncidentSeverity.SEV3, (Service.API,), "api is a bit slow"),
        ("sev2 not a sev1", IncidentSeverity.SEV2, (), "not a sev1"),
        ("workers stuck", IncidentSeverity.SEV2, (Service.INGEST, Service.ENFORCEMENT), "workers stuck"),
    ],
)
def test_opening_takes_severity_and_service_from_the_words(
    line: str, severity: IncidentSeverity, services: tuple[Service, ...], title: str
) -> None:
    assert parse_open(tuple(line.split()), RUNBOOK) == (severity, tuple(services), title)


@pytest.mark.parametrize("words", [(), ("sev1",)])
def test_opening_needs_words(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="What is wrong"):
        parse_open(words, RUNBOOK)


@pytest.mark.parametrize(("called", "why"), [("cause", "the cause is missing"), ("title", "the title is missing")])
def test_parse_reason_names_the_missing_part(called: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_reason((), "incident resolve 7 a bad deploy", called=called)


@pytest.mark.parametrize("word", ["sev1", "SEV1", "1"])
def test_a_severity_may_be_written_loosely(word: str) -> None:
    assert parse_severity(word) is IncidentSeverity.SEV1


@pytest.mark.parametrize("word", ["sev0", "4", "high", "<!here>"])
def test_parse_severity_refuses_words_that_are_no_severity(word: str) -> None:
    with pytest.raises(UsageError, match="severity"):
        parse_severity(word)


@pytest.mark.parametrize("line", ["incident open", "Incident Open", "incident ack 7", "oncall"])
def test_verbs_of_two_words_are_found_as_people_type_them(line: str) -> None:
    words = line.split()

    assert find(words)[0].name == " ".join(words[:2] if len(words) > 1 else words).lower()


@pytest.mark.parametrize(
    ("typed", "verb", "rest"),
    [
        ("ack", "incident ack", ()),
        ("Acknowledge 7", "incident ack", ("7",)),
        ("resolve a wrong limit", "incident resolve", ("a", "wrong", "limit")),
        ("postmortem 7", "incident export", ("7",)),
        ("incidents", "incident", ()),
        ("page payments have stopped", "incident open", ("payments", "have", "stopped")),
    ],
)
def test_the_verbs_of_incidents_need_no_incident_prefix(typed: str, verb: str, rest: tuple[str, ...]) -> None:
    assert find(typed.split()) == (REGISTRY[verb], rest)


@pytest.mark.parametrize(
    ("words", "usage", "meant"),
    [
        ((), "<service>", ("ingest",)),
        (("@level:error",), "<service> [filter]", ("ingest", "@level:error")),
        (("to", "8d02b64e"), REGISTRY["rollback"].usage, ("ingest", "to", "8d02b64e")),
        (("api",), "<service>", ("api",)),
        (("workers",), "<service|workers|all>", ("workers",)),
        (("ingset",), "<service>", ("ingset",)),  # the command itself refuses it
        ((), "[service]", ()),
    ],
)
def test_in_a_thread_the_service_is_implied(words: tuple[str, ...], usage: str, meant: tuple[str, ...]) -> None:
    assert with_service(words, usage, HERE) == meant
    assert with_service(words, usage, None) == words
    assert with_service(words, usage, incident(services=())) == words
