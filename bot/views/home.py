"""What bare `/dragonfly` shows: the state in one line, the SHAs, and where to go from here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.commands._contract import Answer
from bot.views.blocks import actions, command_button, context, section
from bot.views.findings import SIGN, WORD, as_of
from bot.views.message import fit_message
from bot.views.text import escape
from playbooks.health import Report
from services.domain.services import Service
from services.domain.sha import short_sha

BUTTONS = (("Health", "health"), ("Queue", "queue"), ("Failed jobs", "failed-jobs"), ("Help", "help"))


def home_answer(report: Report, shas: Mapping[Service, str | None] | None, *, now: datetime) -> Answer:
    """`shas`: what serves, by service; None when Railway did not say."""
    first = f"{SIGN[report.status]} *{WORD[report.status]}* · {escape(report.headline, limit=500)}"
    blocks = [
        section(first),
        section(_shas(shas)),
        *actions([command_button(label, command) for label, command in BUTTONS]),
        context("Nothing waits for you.", as_of(now)),
    ]
    data = {"status": report.status.value, "headline": report.headline, "serving": shas}
    return Answer(*fit_message(first, blocks), data, report.status, private=True)


def _shas(shas: Mapping[Service, str | None] | None) -> str:
    if shas is None:
        return "What is deployed is unknown: Railway does not answer."
    return "Serving: " + " · ".join(f"{service.short} `{escape(short_sha(shas.get(service)))}`" for service in Service)
