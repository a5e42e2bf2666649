"""Draws the blocks `rich_text`, `plan` and `task_card`."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from services.sandbox.page.drawing import mrkdwn
from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el, join
from services.sandbox.page.drawing.mrkdwn import with_emoji


def rich_text(block: Json, drawing: Drawing) -> Markup:
    """Every part of a `rich_text` block, in order."""
    return el("div", [_part(part, drawing) for part in block.get("elements", ())], class_="rich-text")


def _part(part: Json, drawing: Drawing) -> Markup:
    kind = str(part.get("type"))
    draw = PARTS.get(kind)
    return draw(part, drawing) if draw else cannot_draw("rich text part", kind)


def _section(part: Json, drawing: Drawing) -> Markup:
    return el("div", _leaves(part, drawing), class_="rich-line")


def _preformatted(part: Json, drawing: Drawing) -> Markup:
    return el("pre", _leaves(part, drawing), class_="code-block", tabindex="0")


PARTS: dict[str, Callable[[Json, Drawing], Markup]] = {
    "rich_text_section": _section,
    "rich_text_preformatted": _preformatted,
}


def _leaves(part: Json, drawing: Drawing) -> Markup:
    return join([_leaf(leaf, drawing) for leaf in part.get("elements", ())])


def _leaf(leaf: Json, drawing: Drawing) -> Markup:
    kind = str(leaf.get("type"))
    draw = LEAVES.get(kind)
    return draw(leaf, drawing) if draw else cannot_draw("rich text element", kind)


def _text(leaf: Json, _drawing: Drawing) -> Markup:
    lines: list[Child] = []
    for number, line in enumerate(str(leaf.get("text", "")).split("\n")):
        lines += [el("br") if number else None, line]
    return join(lines)


def _user(leaf: Json, drawing: Drawing) -> Markup:
    return mrkdwn.user_mention(str(leaf.get("user_id", "")), drawing)


LEAVES: dict[str, Callable[[Json, Drawing], Markup]] = {"text": _text, "user": _user}

_MARKS = {"pending": "○", "in_progress": "◔", "complete": "✓", "error": "✕"}
_WORDS = {"pending": "pending", "in_progress": "in progress", "complete": "complete", "error": "failed"}


def plan(block: Json, drawing: Drawing) -> Markup:
    """A titled list of tasks with the number of finished ones."""
    tasks = block.get("tasks") or ()
    done = sum(task.get("status") == "complete" for task in tasks)
    title = el(
        "div",
        el("strong", with_emoji(str(block.get("title", "")))),
        el("span", f"{done} of {len(tasks)}", class_="plan-count") if tasks else None,
        class_="plan-title",
    )
    return el("div", title, [task_card(task, drawing) for task in tasks], class_="plan")


def task_card(block: Json, drawing: Drawing) -> Markup:
    """One task: its state as a mark and a word, and its output."""
    status = str(block.get("status", "pending"))
    details, output = block.get("details"), block.get("output")
    return el(
        "div",
        el("span", _MARKS.get(status, "?"), class_="task-mark", aria_hidden="true"),
        el(
            "div",
            el(
                "div",
                with_emoji(str(block.get("title", ""))),
                el("span", _WORDS.get(status, status), class_="task-status"),
                class_="task-title",
            ),
            el("div", rich_text(details, drawing), class_="task-details") if details else None,
            el("div", rich_text(output, drawing), class_="task-output") if output else None,
            class_="task-body",
        ),
        class_=f"task task-{status.replace('_', '-')}",
    )
