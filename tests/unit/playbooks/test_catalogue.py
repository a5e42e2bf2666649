"""The catalog of playbooks by name."""

from __future__ import annotations

import pytest

from bot.changes import Change
from bot.commands.registry import REGISTRY
from bot.commands.request_change import PLANS
from playbooks.catalogue import Entry, catalogue, find_entry, read_docstring


def test_reads_purpose_when_and_effect_over_several_lines() -> None:
    docstring = "Is it well? (runbook)\n\nWhen:   at any time,\n        also twice.\nEffect: none.\n"

    assert read_docstring("health", docstring) == Entry(
        "health", "Is it well? (runbook)", "at any time, also twice.", "none."
    )


@pytest.mark.parametrize("docstring", ["", "Is it well?", "Is it well?\n\nWhen: always."])
def test_refuses_a_playbook_that_does_not_report_what_it_is_for(docstring: str) -> None:
    with pytest.raises(ValueError, match="playbook x"):
        read_docstring("x", docstring)


def test_every_playbook_is_the_command_of_its_name() -> None:
    assert set(catalogue()) <= set(REGISTRY)


def test_every_change_can_be_planned_again_by_the_name_of_its_command() -> None:
    changes = {name for name, command in REGISTRY.items() if isinstance(command, Change)}

    assert changes == set(PLANS)
    assert changes <= set(catalogue())


def test_the_reading_playbooks_report_that_they_change_nothing() -> None:
    assert (entry := find_entry("health"))
    assert "only reads" in entry.effect


@pytest.mark.parametrize("name", ["help", "incident ack", "model", "no-such-command"])
def test_a_command_without_a_playbook_has_no_entry(name: str) -> None:
    assert find_entry(name) is None
