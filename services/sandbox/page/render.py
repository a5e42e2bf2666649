"""Draws Block Kit as HTML: every block that the bot sends, as Slack would draw it.

`DRAWABLE` lists all values of `type` in blocks that this page can draw; a test compares it with what the local Slack
accepts (`services/sandbox/slack/limits_schema.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.controls import CONTROLS, control
from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el, join
from services.sandbox.page.drawing.mrkdwn import TEXT_TYPES, plain, text_object
from services.sandbox.page.drawing.rich_text import LEAVES, PARTS, plan, rich_text, task_card
from services.sandbox.page.drawing.tables import CELLS, CHARTS, data_visualization, table


def render_blocks(blocks: Sequence[Json], drawing: Drawing) -> Markup:
    """Draw the blocks in order; an unknown one becomes a visible error box."""
    return join([_block(block, drawing) for block in blocks])


def _block(block: Json, drawing: Drawing) -> Markup:
    kind = str(block.get("type"))
    draw = BLOCKS.get(kind)
    if draw is None:
        return cannot_draw("block", kind)
    inside = drawing.within(str(block.get("block_id", "")))
    return el("div", draw(block, inside), class_=f"block block-{kind.replace('_', '-')}")


def _section(block: Json, drawing: Drawing) -> Markup:
    accessory = block.get("accessory")
    fields = [el("div", text_object(text, drawing), class_="field") for text in block.get("fields", ())]
    body = el(
        "div",
        el("div", text_object(block["text"], drawing), class_="text") if block.get("text") else None,
        el("div", fields, class_="fields") if fields else None,
        class_="section-body",
    )
    if accessory is None:
        return body
    return join([body, el("div", control(accessory, drawing, plain(block.get("text"))[:80]), class_="accessory")])


def _header(block: Json, drawing: Drawing) -> Markup:
    return el("h3", text_object(block.get("text"), drawing))


def _context(block: Json, drawing: Drawing) -> Markup:
    def one(element: Json) -> Child:
        kind = str(element.get("type"))
        return el("span", text_object(element, drawing)) if kind in TEXT_TYPES else cannot_draw("context element", kind)

    return join([one(element) for element in block.get("elements", ())])


def _actions(block: Json, drawing: Drawing) -> Markup:
    return join([control(element, drawing) for element in block.get("elements", ())])


def _input(block: Json, drawing: Drawing) -> Markup:
    element = block.get("element") or {}
    label = plain(block.get("label"))
    error = drawing.errors.get(drawing.block_id)
    optional = el("span", " (optional)", class_="optional") if block.get("optional") else None
    hint = block.get("hint")
    target = drawing.dom_id(str(element.get("action_id", "")))
    grouped = element.get("type") == "radio_buttons"
    return el(
        "div",
        el(
            "label",
            text_object(block.get("label"), drawing),
            optional,
            for_=None if grouped else target,
            class_="label",
        ),
        control(element, drawing, label),
        el("div", error, class_="field-error", role="alert") if error else None,
        el("div", text_object(hint, drawing), class_="hint") if hint else None,
        class_="input input-invalid" if error else "input",
        data_dispatch=bool(block.get("dispatch_action")),
        data_input=True,
    )


Draw = Callable[[Json, Drawing], Markup]

BLOCKS: dict[str, Draw] = {
    "actions": _actions,
    "context": _context,
    "data_visualization": data_visualization,
    "header": _header,
    "input": _input,
    "plan": plan,
    "rich_text": rich_text,
    "section": _section,
    "table": table,
    "task_card": task_card,
}

DRAWABLE: frozenset[str] = frozenset({*BLOCKS, *CONTROLS, *PARTS, *LEAVES, *CELLS, *CHARTS, *TEXT_TYPES})
