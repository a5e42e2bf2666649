"""Every block type as HTML, unknown and hostile ones too."""

from html.parser import HTMLParser
from typing import Any

import pytest

from services.sandbox.page.drawing.html import Drawing
from services.sandbox.page.render import DRAWABLE, render_blocks

Json = dict[str, Any]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\" onmouseover='x'"
DRAWING = Drawing(users={"U1": "olivia"}, channels={"C1": "incidents"}, scope="m1")


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def raw(text: str) -> Json:
    return {"type": "raw_text", "text": text}


def button(text: str = "Go", **more: Any) -> Json:
    return {"type": "button", "action_id": "go", "text": plain(text), **more}


def options(text: str) -> list[Json]:
    return [{"text": plain(text), "value": "one"}, {"text": plain("Two"), "value": "two"}]


def element(kind: str, text: str) -> Json:
    made: Json = {"type": kind, "action_id": "it", "placeholder": plain(text)}
    if kind in ("static_select", "radio_buttons", "overflow"):
        made["options"] = options(text)
    if kind == "button":
        made["text"] = plain(text)
    if kind == "plain_text_input":
        made |= {"multiline": True, "initial_value": text}
    return made


ELEMENTS = ("button", "overflow", "static_select", "users_select", "radio_buttons", "plain_text_input", "datepicker")


def blocks_with(text: str) -> list[Json]:
    """One block of every type, with this text wherever a payload may have text."""
    leaves: list[Json] = [{"type": "text", "text": text}, {"type": "user", "user_id": text}]
    rich = {
        "type": "rich_text",
        "elements": [
            {"type": "rich_text_section", "elements": leaves},
            {"type": "rich_text_preformatted", "elements": leaves},
        ],
    }
    task = {"type": "task_card", "task_id": "1", "title": text, "status": "error", "details": rich, "output": rich}
    series = [{"name": text, "data": [{"label": text, "value": 3}]}]
    line = {"type": "line", "series": series, "axis_config": {"categories": [text], "y_label": text}}
    question = {"title": plain(text), "text": mrkdwn(text), "confirm": plain(text), "deny": plain(text)}
    return [
        {"type": "section", "text": mrkdwn(text), "fields": [plain(text)], "accessory": button(text, confirm=question)},
        {"type": "header", "text": plain(text)},
        {"type": "context", "elements": [mrkdwn(text), plain(text)]},
        {"type": "actions", "elements": [element(kind, text) for kind in ELEMENTS]},
        {"type": "input", "label": plain(text), "hint": plain(text), "element": element("plain_text_input", text)},
        rich,
        {"type": "table", "rows": [[raw(text)], [raw(text)]]},
        {"type": "data_visualization", "title": text, "chart": line},
        {"type": "plan", "title": text, "tasks": [task]},
        task,
    ]


class Tags(HTMLParser):
    """The element names, attributes and text that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def drawn(*blocks: Json, **context: Any) -> Tags:
    return Tags(render_blocks(blocks, Drawing(**{"users": {"U1": "olivia"}, "scope": "m", **context})))


@pytest.mark.parametrize("block", blocks_with("some words"), ids=lambda block: block["type"])
def test_draws_every_block_type(block: Json) -> None:
    html = render_blocks([block], DRAWING)

    assert "cannot draw" not in html
    assert block["type"] in DRAWABLE
    assert "some words" in html


@pytest.mark.parametrize("block", blocks_with(HOSTILE), ids=lambda block: block["type"])
def test_hostile_text_stays_text(block: Json) -> None:
    tags = Tags(render_blocks([block], DRAWING))

    assert "script" not in tags.names
    assert "onerror" not in dict(tags.attributes)
    assert "onmouseover" not in dict(tags.attributes)
    assert not any(
        (value or "").startswith("javascript:") for name, value in tags.attributes if name in ("href", "src")
    )


def types_in(value: object) -> set[str]:
    if isinstance(value, list):
        return set().union(*(types_in(item) for item in value))
    if not isinstance(value, dict):
        return set()
    own = {str(value["type"])} if "type" in value else set()
    return own.union(*(types_in(item) for item in value.values()))


def test_everything_drawable_is_tried_here() -> None:
    assert types_in(blocks_with("x")) >= DRAWABLE


@pytest.mark.parametrize(
    "block",
    [
        {"type": "video"},
        {"type": "actions", "elements": [{"type": "workflow_button"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_poem"}]},
        {"type": "table", "rows": [[{"type": "raw_colour"}]]},
        {"type": "data_visualization", "title": "x", "chart": {"type": "radar"}},
        {"type": "context", "elements": [{"type": "clock"}]},
    ],
)
def test_render_shows_a_visible_error_for_an_unknown_block(block: Json) -> None:
    assert "This page cannot draw it" in drawn(block).words


def test_a_button_carries_the_ids_that_are_reported_when_it_is_used() -> None:
    tags = drawn({"type": "actions", "block_id": "b1", "elements": [button(style="danger")]})

    assert ("data-block", "b1") in tags.attributes
    assert ("data-action", "go") in tags.attributes
    assert ("class", "button button-danger") in tags.attributes


def test_a_link_button_is_a_link_that_is_reported_too() -> None:
    tags = drawn({"type": "actions", "elements": [button(url="https://example.test/x")]})

    assert ("href", "https://example.test/x") in tags.attributes
    assert ("data-send", None) in tags.attributes


def test_a_button_to_a_strange_address_is_no_link() -> None:
    assert "a" not in drawn({"type": "actions", "elements": [button(url="javascript:alert(1)")]}).names


def test_a_question_waits_in_a_template() -> None:
    question = {"title": plain("Sure?"), "text": mrkdwn("*Really*"), "confirm": plain("Do it"), "deny": plain("No")}
    html = render_blocks([{"type": "actions", "elements": [button(confirm=question)]}], DRAWING)

    assert '<template class="confirmation"><h2>Sure?</h2>' in html
    assert '<button class="button button-primary" value="yes">Do it</button>' in html


def test_the_error_of_a_field_stands_beside_it() -> None:
    block = {"type": "input", "block_id": "why", "label": plain("Why"), "element": element("plain_text_input", "x")}

    assert "Say why" in drawn(block, errors={"why": "Say why"}).words
    assert "Say why" not in drawn(block, errors={"other": "Say why"}).words


def test_initial_choices_are_chosen() -> None:
    select = element("static_select", "One") | {"initial_option": options("One")[1]}
    html = render_blocks([{"type": "actions", "elements": [select]}], DRAWING)

    assert '<option value="two" selected>Two</option>' in html


def test_a_chart_of_nothing_is_still_drawn() -> None:
    chart = {"type": "line", "series": [], "axis_config": {"categories": []}}

    assert "svg" in drawn({"type": "data_visualization", "title": "x", "chart": chart}).names


def test_a_plan_counts_what_is_done() -> None:
    tasks = [{"task_id": str(n), "title": "t", "status": status} for n, status in enumerate(["complete", "pending"])]

    assert "1 of 2" in drawn({"type": "plan", "title": "Roll back", "tasks": tasks}).words
