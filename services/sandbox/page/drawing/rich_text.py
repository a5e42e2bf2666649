"""Draws the blocks `rich_text`, `plan` and `task_card`."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from services.sandbox.page.drawing import mrkdwn
from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el, join
from services.sandbox.page.drawing.mrkdwn import emoji, link, with_emoji

_STYLES = (
    ("code", "code"),
    ("bold", "strong"),
    ("italic", "em"),
    ("strike", "s"),
    ("underline", "u"),
    ("highlight", "mark"),
)


def rich_text(block: Json, drawing: Drawing) -> Markup:
    """Every part of a `rich_text` block, in order."""
    return el("div", [_part(part, drawing) for part in block.get("elements", ())], class_="rich-text")


def _part(part: Json, drawing: Drawing) -> Markup:
    kind = str(part.get("type"))
    draw = PARTS.get(kind)
    return draw(part, drawing) if draw else cannot_draw("rich text part", kind)


def _section(part: Json, drawing: Drawing) -> Markup:
    return el("div", _leaves(part, drawing), class_="rich-line")


def _quote(part: Json, drawing: Drawing) -> Markup:
    return el("blockquote", _leaves(part, drawing))


def _preformatted(part: Json, drawing: Drawing) -> Markup:
    return el("pre", _leaves(part, drawing), class_="code-block", tabindex="0")


def _list(part: Json, drawing: Drawing) -> Markup:
    indent = min(int(part.get("indent", 0)), 8)
    items = [el("li", _leaves(item, drawing)) for item in part.get("elements", ())]
    if part.get("style") == "ordered":
        return el("ol", items, start=int(part.get("offset", 0)) + 1, class_=f"indent-{indent}")
    return el("ul", items, class_=f"indent-{indent}")


PARTS: dict[str, Callable[[Json, Drawing], Markup]] = {
    "rich_text_section": _section,
    "rich_text_quote": _quote,
    "rich_text_preformatted": _preformatted,
    "rich_text_list": _list,
}


def _leaves(part: Json, drawing: Drawing) -> Markup:
    return join([_leaf(leaf, drawing) for leaf in part.get("elements", ())])


def _leaf(leaf: Json, drawing: Drawing) -> Markup:
    kind = str(leaf.get("type"))
    draw = LEAVES.get(kind)
    if draw is None:
        return cannot_draw("rich text element", kind)
    return _styled(draw(leaf, drawing), leaf.get("style") or {})


def _styled(drawn: Markup, style: Json) -> Markup:
    for name, tag in _STYLES:
        if style.get(name):
            drawn = el(tag, drawn)
    return drawn


def _text(leaf: Json, _drawing: Drawing) -> Markup:
    lines: list[Child] = []
    for number, line in enumerate(str(leaf.get("text", "")).split("\n")):
        lines += [el("br") if number else None, line]
    return join(lines)


def _link(leaf: Json, _drawing: Drawing) -> Markup:
    return mrkdwn.link(str(leaf.get("url", "")), leaf.get("text"))


def _user(leaf: Json, drawing: Drawing) -> Markup:
    return mrkdwn.user_mention(str(leaf.get("user_id", "")), drawing)


def _channel(leaf: Json, drawing: Drawing) -> Markup:
    channel_id = str(leaf.get("channel_id", ""))
    return mrkdwn.mention(f"#{drawing.channels.get(channel_id, channel_id)}")


def _usergroup(leaf: Json, drawing: Drawing) -> Markup:
    group_id = str(leaf.get("usergroup_id", ""))
    return mrkdwn.mention(f"@{drawing.groups.get(group_id, group_id)}")


def _broadcast(leaf: Json, _drawing: Drawing) -> Markup:
    return el("span", f"@{leaf.get('range', '')}", class_="mention mention-all")


def _emoji(leaf: Json, _drawing: Drawing) -> Markup:
    return emoji(str(leaf.get("name", "")))


def _date(leaf: Json, _drawing: Drawing) -> Markup:
    return mrkdwn.date(
        int(leaf.get("timestamp", 0)), str(leaf.get("format", "")), str(leaf.get("fallback", "")), leaf.get("url")
    )


def _color(leaf: Json, _drawing: Drawing) -> Markup:
    return el("code", str(leaf.get("value", "")))


LEAVES: dict[str, Callable[[Json, Drawing], Markup]] = {
    "text": _text,
    "link": _link,
    "user": _user,
    "channel": _channel,
    "usergroup": _usergroup,
    "broadcast": _broadcast,
    "emoji": _emoji,
    "date": _date,
    "color": _color,
}

SOURCES = frozenset({"url"})  # types allowed in a task's `sources`

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
