"""Reads that a model may choose: members of our enums, and nothing else."""

from __future__ import annotations

import itertools
import json

import pytest

from bot.assistant.catalogue import MAX_READS, Read, ReadVerb, Window, choose, reads_for, services_in
from bot.assistant.prompts import choose_prompt, read_reads
from bot.commands.dispatch import known_options
from bot.commands.parsing import split_words
from bot.commands.registry import REGISTRY, find
from bot.types import Surface
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK, System

ALL = [
    Read(verb, service, window)
    for verb, service, window in itertools.product(ReadVerb, (None, *CIVIL.services), (None, *Window))
]
FORBIDDEN = {"env", "security-audit", "audit", "policy", "reveal", "check-config", "preflight", "prod-gate"}


def test_every_read_is_a_command_that_changes_nothing() -> None:
    for read in choose_each():
        if read.verb is ReadVerb.RECENT_CHANGES:
            continue
        verb, words = find(split_words(read.line, Surface.BUTTON))

        assert verb.is_read, read.line
        assert verb.name == read.verb.value
        assert verb.name not in FORBIDDEN
        assert not [word for word in words if word.startswith("-") and word not in known_options(verb)]


def choose_each() -> list[Read]:
    return [one for read in ALL for one in choose([read], CIVIL, has_incident=True)]


def test_no_change_and_no_raw_line_can_be_chosen() -> None:
    lines = {read.line for read in choose_each()}

    assert not [line for line in lines if "--" in line]
    assert not {name for name, verb in REGISTRY.items() if not verb.is_read} & {verb.value for verb in ReadVerb}
    assert not FORBIDDEN & {verb.value for verb in ReadVerb}


def read_by_model(service: str | None, system: System) -> list[str] | None:
    """The commands that run where a model chooses the log of that service; None if its answer is malformed."""
    wanted = {"reads": [{"verb": "logs", "service": service, "window": None}]}
    reads = read_reads(json.dumps(wanted), system)
    return None if reads is None else [read.line for read in choose(reads, system, has_incident=False)]


@pytest.mark.parametrize("system", [RUNBOOK, CIVIL], ids=lambda system: system.name)
def test_a_read_without_its_service_is_run_for_each_of_the_system(system: System) -> None:
    assert read_by_model(None, system) == [f"logs {service.short}" for service in system.services]


def test_a_model_chooses_services_of_the_system_only() -> None:
    assert read_by_model("simplicity", CIVIL) == ["logs simplicity"]
    assert read_by_model("simplicity", RUNBOOK) == []
    assert read_by_model("api; stop-workers", CIVIL) == []


def test_the_prompt_names_the_workers_of_the_system() -> None:
    assert "(ingest, enforcement, simplicity)" in choose_prompt(CIVIL)
    assert "simplicity" not in choose_prompt(RUNBOOK)


def test_a_question_names_services_of_the_system_only() -> None:
    question = "why is simplicity's worker slow?"

    assert services_in(question, CIVIL) == {Service.SIMPLICITY}
    assert services_in(question, RUNBOOK) == frozenset()


@pytest.mark.parametrize(("has_incident", "expected"), [(True, ["incident timeline"]), (False, [])])
def test_a_timeline_needs_an_incident(has_incident: bool, expected: list[str]) -> None:
    chosen = choose([Read(ReadVerb.INCIDENT_TIMELINE)], RUNBOOK, has_incident=has_incident)

    assert [read.line for read in chosen] == expected


def test_at_most_six_reads_each_once_and_none_twice() -> None:
    chosen = choose([*ALL, *ALL], CIVIL, has_incident=True)

    assert len(chosen) == MAX_READS
    assert len({read.line for read in chosen}) == MAX_READS
    assert not {read.line for read in choose(ALL, CIVIL, has_incident=True, done=chosen)} & {
        read.line for read in chosen
    }


@pytest.mark.parametrize(
    ("question", "verb"),
    [
        ("why is ingest so slow?", ReadVerb.QUEUE),
        ("which jobs failed?", ReadVerb.FAILED_JOBS),
        ("what was deployed?", ReadVerb.RECENT_CHANGES),
        ("who's on call?", ReadVerb.ONCALL),
        ("is it fine?", ReadVerb.DOCTOR),
    ],
)
def test_rules_choose_reads_by_the_words_of_the_question(question: str, verb: ReadVerb) -> None:
    assert verb in {read.verb for read in reads_for(question, RUNBOOK, has_incident=False)}
