"""Draws Block Kit as HTML: every block that the bot may send, as Slack would draw it.

`DRAWABLE` lists all values of `type` in blocks that this page can draw; a test compares it with all recorded payloads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.controls import CONTROLS, control
from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el, join
from services.sandbox.page.drawing.mrkdwn import TEXT_TYPES, markdown, plain, text_object
from services.sandbox.page.drawing.rich_text import LEAVES, PARTS, SOURCES, plan, rich_text, task_card
from services.sandbox.page.drawing.tables import CELLS, CHARTS, data_table, data_visualization, table


def render_blocks(blocks: Sequence[Json], drawing: Drawing) -> Markup:
    """Draw the blocks in order; an unknown one becomes a visible error box."""
    return join([_block(block, drawing) for block in blocks])


def _block(block: Json, drawing: Drawing) -> Markup:
    kind = str(block.get("type"))
    draw = BLOCKS.get(kind)
    if draw is None:
        return cannot_draw("block", kind)
    # A block inside a container reports the container's id, as in Slack.
    inside = drawing if drawing.block_id else drawing.within(str(block.get("block_id", "")))
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
    return join([body, el("div", _element(accessory, drawing, plain(block.get("text"))[:80]), class_="accessory")])


def _element(element: Json, drawing: Drawing, label: str | None = None) -> Markup:
    return _picture(element) if element.get("type") == "image" else control(element, drawing, label)


def _header(block: Json, drawing: Drawing) -> Markup:
    return el("h3", text_object(block.get("text"), drawing))


def _context(block: Json, drawing: Drawing) -> Markup:
    def one(element: Json) -> Child:
        kind = str(element.get("type"))
        if kind == "image":
            return _picture(element)
        if kind in TEXT_TYPES:
            return el("span", text_object(element, drawing))
        return cannot_draw("context element", kind)

    return join([one(element) for element in block.get("elements", ())])


def _actions(block: Json, drawing: Drawing) -> Markup:
    return join([control(element, drawing) for element in block.get("elements", ())])


def _divider(_block: Json, _drawing: Drawing) -> Markup:
    return el("hr")


def _image(block: Json, drawing: Drawing) -> Markup:
    title = block.get("title")
    return el("figure", el("figcaption", text_object(title, drawing)) if title else None, _picture(block))


def _picture(image: Json) -> Markup:
    """An image served by this machine, else its alt text, which Slack requires: the page loads no other images."""
    alt = str(image.get("alt_text", ""))
    url = str(image.get("image_url", ""))
    if url.startswith("/") and not url.startswith("//"):
        return el("img", src=url, alt=alt, loading="lazy")
    return el("span", el("span", "▣", aria_hidden="true"), f" {alt}", class_="picture", role="img", aria_label=alt)


def _input(block: Json, drawing: Drawing) -> Markup:
    element = block.get("element") or {}
    label = plain(block.get("label"))
    error = drawing.errors.get(drawing.block_id)
    optional = el("span", " (optional)", class_="optional") if block.get("optional") else None
    hint = block.get("hint")
    target = drawing.dom_id(str(element.get("action_id", "")))
    grouped = element.get("type") in ("radio_buttons", "checkboxes")
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


def _alert(block: Json, drawing: Drawing) -> Markup:
    level = str(block.get("level", "default"))
    known = level if level in ("info", "warning", "error", "success") else "default"
    return el("div", text_object(block.get("text"), drawing), class_=f"alert alert-{known}", role="note")


def _card(block: Json, drawing: Drawing) -> Markup:
    hero, icon = block.get("hero_image"), block.get("icon")
    heading = el(
        "div",
        _picture(icon) if icon else None,
        el(
            "div",
            el("strong", text_object(block.get("title"), drawing)),
            el("div", text_object(block.get("subtitle"), drawing), class_="subtitle")
            if block.get("subtitle")
            else None,
        ),
        class_="card-heading",
    )
    actions = [control(action, drawing) for action in block.get("actions") or ()]
    return el(
        "div",
        _picture(hero) if hero else None,
        heading,
        el("div", text_object(block.get("body"), drawing), class_="card-text") if block.get("body") else None,
        el("div", actions, class_="card-actions") if actions else None,
        class_="card",
    )


def _carousel(block: Json, drawing: Drawing) -> Markup:
    cards = [_card(card, drawing) for card in block.get("elements", ())]
    return el("div", cards, class_="carousel", tabindex="0", role="group", aria_label="Cards")


def _container(block: Json, drawing: Drawing) -> Markup:
    rich = block.get("rich_text_title")
    title = rich_text(rich, drawing) if rich else text_object(block.get("title"), drawing)
    subtitle = block.get("subtitle")
    heading = [
        el("span", title, class_="container-title"),
        el("span", text_object(subtitle, drawing), class_="subtitle") if subtitle else None,
    ]
    children = el("div", render_blocks(block.get("child_blocks", ()), drawing), class_="container-body")
    if block.get("is_collapsible"):
        is_open = not block.get("default_collapsed")
        return el("details", el("summary", heading), children, class_="container", open=is_open)
    return el("section", el("div", heading, class_="container-heading"), children, class_="container")


Draw = Callable[[Json, Drawing], Markup]

BLOCKS: dict[str, Draw] = {
    "actions": _actions,
    "alert": _alert,
    "card": _card,
    "carousel": _carousel,
    "container": _container,
    "context": _context,
    "context_actions": _actions,
    "data_table": data_table,
    "data_visualization": data_visualization,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "input": _input,
    "markdown": markdown,
    "plan": plan,
    "rich_text": rich_text,
    "section": _section,
    "table": table,
    "task_card": task_card,
}

DRAWABLE: frozenset[str] = (
    frozenset(BLOCKS)
    | frozenset(CONTROLS)
    | frozenset(PARTS)
    | frozenset(LEAVES)
    | CELLS
    | CHARTS
    | SOURCES
    | TEXT_TYPES
)
