"""Freeze changes for a while, or in recurring windows

When:   a service must not change: during a migration by hand, before a weekend.
Effect: deploys, redeploys, scaling and the golden path are refused, unless their requester asks for an exception; a
        rollback, a restart and the emergency stop go ahead.
Undo:   unfreeze.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from playbooks.change_parts import unavailable
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from services.domain.errors import Unavailable
from services.domain.freezes import Freeze, freeze_words, in_force, listed, upcoming
from services.domain.text import dated_time

EXCEPTION = "exception"  # the parameter with the reason for an exception from freezes
EXCEPTED = "freezes"  # the parameter with the freezes' numbers: "3,5"
SOON = timedelta(hours=12)
SEE = (NextStep("The freezes", "freeze"),)

Freezes = Sequence[Freeze] | Unavailable


def excepted(parameters: Mapping[str, str]) -> frozenset[int]:
    """The freezes from which the approvers of a change granted an exception."""
    return frozenset(int(number) for number in parameters.get(EXCEPTED, "").split(",") if number.isdigit())


def in_the_way(freezes: Sequence[Freeze], plan: Plan, moment: datetime) -> list[Freeze]:
    """The freezes in force from which the plan has no exception."""
    passed = excepted(plan.parameters)
    return [one for one in in_force(freezes, plan.services, moment) if one.id not in passed]


def hold_back(plan: Plan, freezes: Freezes, moment: datetime, *, exception: str, passed: str) -> Plan | NoPlan:
    """The plan of a change that freezes apply to, or why it is refused. `exception`: the reason for a requested
    exception; `passed`: the freezes that it covers, if the plan is made again."""
    if isinstance(freezes, Unavailable):
        return unavailable(freezes)
    found = in_force(freezes, plan.services, moment)
    if found and plan.risk is Risk.CRITICAL:
        return NoPlan(
            f"{listed(found, moment)}, and the deploy has a destructive migration",
            "wait until it ends: a destructive migration gets no exception; a deploy without it can",
            SEE,
        )
    if exception:
        plan = _with_exception(plan, exception, passed or ",".join(str(one.id) for one in found))
        if not plan.parameters[EXCEPTED]:
            return NoPlan("no freeze applies", f"request it without --{EXCEPTION}", SEE)
    held = in_the_way(freezes, plan, moment)
    if held:
        return _refuse(held, moment)
    notes = (
        f"exception from freeze {one.id}, with one more approver: {exception}; {freeze_words(one, moment)}"
        for one in found
    )
    return _with_warnings(plan, [*notes, *_soon(freezes, plan, moment)])


def go_ahead(plan: Plan, freezes: Freezes, moment: datetime) -> Plan:
    """The plan of any other change: no freeze refuses it, but its warnings name those in force, as far as known."""
    found = () if isinstance(freezes, Unavailable) or not plan.services else in_force(freezes, plan.services, moment)
    return _with_warnings(plan, [f"{freeze_words(one, moment)}; {plan.playbook} goes ahead" for one in found])


def _with_exception(plan: Plan, exception: str, passed: str) -> Plan:
    return replace(plan, parameters={**plan.parameters, EXCEPTION: exception, EXCEPTED: passed})


def _refuse(held: Sequence[Freeze], moment: datetime) -> NoPlan:
    return NoPlan(
        listed(held, moment),
        f"wait for its end, or ask for an exception: the same line with --{EXCEPTION} <why> needs one more approver",
        SEE,
    )


def _soon(freezes: Sequence[Freeze], plan: Plan, moment: datetime) -> list[str]:
    """Freezes that begin before a person has had time to repair a failed change."""
    return [
        f"{one.scope} will be frozen from {dated_time(span.begins, moment)} by {one.by} ({one.reason})"
        for one, span in upcoming(freezes, plan.services, moment, moment + SOON)
    ]


def _with_warnings(plan: Plan, warnings: Collection[str]) -> Plan:
    return replace(plan, warnings=(*plan.warnings, *warnings)) if warnings else plan
