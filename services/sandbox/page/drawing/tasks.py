"""The `plan` and `task_card` blocks."""

from __future__ import annotations

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing, Json
from services.sandbox.page.drawing.emoji import with_emoji
from services.sandbox.page.drawing.entities import link
from services.sandbox.page.drawing.html import el
from services.sandbox.page.drawing.rich_text import rich_text

SOURCES = frozenset({"url"})  # the types of a task's `sources`

_MARKS = {"pending": "○", "in_progress": "◔", "complete": "✓", "error": "✕"}
_WORDS = {"pending": "pending", "in_progress": "in progress", "complete": "complete", "error": "failed"}


def plan(block: Json, drawing: Drawing) -> Markup:
    """A titled list of tasks with how many are done."""
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
    """One step: its state as a mark and a word, and what it found out."""
    status = str(block.get("status", "pending"))
    details, output, sources = block.get("details"), block.get("output"), block.get("sources") or ()
    links = [link(str(source.get("url", "")), source.get("text")) for source in sources]
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
            el("div", links, class_="task-sources") if links else None,
            class_="task-body",
        ),
        class_=f"task task-{status.replace('_', '-')}",
    )
