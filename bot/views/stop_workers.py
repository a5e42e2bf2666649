"""Stopping the workers without a reason typed: one tap on a preset is enough."""

from __future__ import annotations

from bot.commands._contract import Answer, Block
from bot.views.blocks import actions, command_button, context, section
from bot.views.message import fit_message
from bot.views.modals import PRESETS
from bot.views.run_buttons import confirm_dialog
from playbooks._contract import Status

SHOWN = 3  # buttons; the modal of the slash command has all


def presets_answer(service: str) -> Answer:
    """`service`: a worker's short name, or `workers`. Nothing was stopped yet."""
    first = f"🚨 *Why are the {service} stopped?*" if service == "workers" else f"🚨 *Why is {service} stopped?*"
    blocks = [
        section(f"{first} Nothing was done yet: one tap stops them."),
        *actions([_preset(service, reason) for reason in PRESETS[:SHOWN]]),
        context(f"or in your own words: `stop-workers {service} &lt;reason&gt;`"),
    ]
    data = {"reasons": list(PRESETS), "command": f"stop-workers {service} <reason>"}
    return Answer(*fit_message(first, blocks), data, Status.FAIL, private=True)


def _preset(service: str, reason: str) -> Block:
    effect = f"{reason}. Stops at once; nobody is asked, everybody is told, a review is due afterwards."
    dialog = confirm_dialog(f"Stop {service} now?", effect, "Stop now", danger=True)
    return command_button(reason, f"stop-workers {service} {reason}", style="danger") | {"confirm": dialog}
