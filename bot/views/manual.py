"""A plan as the steps that a person takes by hand, in Railway's dashboard and with psql, as the runbook does.

For when Slack, where changes are approved, or the database, where runs are kept, is away.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._contract import Answer
from bot.views.blocks import context, section, sections
from bot.views.message import fit_message
from bot.views.plan import LINE_LIMIT, plan_lines
from bot.views.steps import by_hand, step_words
from bot.views.text import escape, link
from playbooks._contract import Plan, Status, encode_plan
from playbooks._steps import Step
from services.domain.services import Service


def manual_answer(plan: Plan, why: str, links: Mapping[Service, str]) -> Answer:
    """Why nothing was done, and how to do it by hand. `links`: the services' pages in Railway, as far as known."""
    first = f"🔴 *Nothing was done*: {escape(why, limit=LINE_LIMIT)}. *By hand:* {escape(plan.title, limit=LINE_LIMIT)}"
    lines = [f"{n}. {_line(step)}" for n, step in enumerate(plan.steps, start=1)]
    named = [service for service in Service if service in plan.services and service in links]
    pages = [f"{service.value}: {link(links[service], 'its page in Railway')}" for service in named]
    blocks = [
        section(first),
        *sections(plan_lines(plan.impact, plan.warnings, plan.undo)),
        *sections([*pages, *lines]),
        context("nobody has approved this: tell the others what you do, and why"),
    ]
    data = encode_plan(plan) | {"why": why, "by_hand": [by_hand(step) or step_words(step) for step in plan.steps]}
    return Answer(*fit_message(first, blocks), data, Status.FAIL, private=True)


def _line(step: Step) -> str:
    told, how = escape(step_words(step), limit=LINE_LIMIT), by_hand(step)
    return f"{told}\n      {escape(how, limit=LINE_LIMIT)}" if how else told
