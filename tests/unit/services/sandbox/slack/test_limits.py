import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.views.pictures import CHART
from services.sandbox.page.render import DRAWABLE
from services.sandbox.slack.limits import Surface, violations
from services.sandbox.slack.limits_schema import TYPES

Json = dict[str, Any]


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(text: str | int) -> Json:
    return {"type": "mrkdwn", "text": text if isinstance(text, str) else "x" * text}


def section(length: int = 1, **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(length), **more}


def button(text: int = 1, **more: Any) -> Json:
    return {"type": "button", "text": plain(text), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def option(text: int = 1, value: int = 1, **more: Any) -> Json:
    return {"text": plain(text), "value": "x" * value, **more}


def select(kind: str = "static_select", options: int = 1, **more: Any) -> Json:
    return {"type": kind, "options": [option(value=n + 1) for n in range(options)], **more}


def confirm(title: int = 1, text: int = 1, label: int = 1) -> Json:
    return {"title": plain(title), "text": mrkdwn(text), "confirm": plain(label), "deny": plain(1)}


def entry(label: int = 1, **more: Any) -> Json:
    return {"type": "input", "label": plain(label), "element": {"type": "plain_text_input", **more}}


def cell(text: int = 1) -> Json:
    return {"type": "raw_text", "text": "x" * text}


def table(rows: int, columns: int, text: int = 1) -> Json:
    return {"type": "table", "rows": [[cell(text)] * columns for _ in range(rows)]}


def task(status: str = "pending") -> Json:
    return {"type": "task_card", "task_id": "1", "title": "t", "status": status}


def modal(*blocks: Json, title: int = 1, **more: Any) -> Json:
    return {"type": "modal", "title": plain(title), "blocks": list(blocks), **more}


def refused(payload: Json, surface: Surface = "message", method: str = "chat.postMessage") -> list[tuple[str, str]]:
    return [(v.path, v.rule) for v in violations(payload, surface=surface, method=method) if v.is_refused]


def refused_block(block: Json) -> list[tuple[str, str]]:
    return refused({"text": "t", "blocks": [block]})


BOTH_SIDES = [
    ("section text", section(3000), section(3001), "too_long"),
    ("section fields", section(fields=[mrkdwn(1)] * 10), section(fields=[mrkdwn(1)] * 11), "too_many"),
    ("section field", section(fields=[mrkdwn(2000)]), section(fields=[mrkdwn(2001)]), "too_long"),
    ("section holds something", section(), {"type": "section"}, "required"),
    ("header", {"type": "header", "text": plain(150)}, {"type": "header", "text": plain(151)}, "too_long"),
    ("header is plain", {"type": "header", "text": plain(1)}, {"type": "header", "text": mrkdwn(1)}, "unknown_type"),
    (
        "context elements",
        {"type": "context", "elements": [mrkdwn(1)] * 10},
        {"type": "context", "elements": [mrkdwn(1)] * 11},
        "too_many",
    ),
    (
        "context is not empty",
        {"type": "context", "elements": [mrkdwn(1)]},
        {"type": "context", "elements": []},
        "too_few",
    ),
    ("text is not empty", section(1), section(0), "too_short"),
    ("actions elements", actions(*[button()] * 25), actions(*[button()] * 26), "too_many"),
    ("button text", actions(button(75)), actions(button(76)), "too_long"),
    ("button value", actions(button(value="x" * 2000)), actions(button(value="x" * 2001)), "too_long"),
    ("button url", actions(button(url="x" * 3000)), actions(button(url="x" * 3001)), "too_long"),
    ("button style", actions(button(style="danger")), actions(button(style="default")), "choice"),
    (
        "button label",
        actions(button(accessibility_label="x" * 75)),
        actions(button(accessibility_label="x" * 76)),
        "too_long",
    ),
    ("action_id", actions(button(action_id="x" * 255)), actions(button(action_id="x" * 256)), "too_long"),
    ("block_id", section(block_id="x" * 255), section(block_id="x" * 256), "too_long"),
    (
        "action_id is unique in its block",
        actions(button(action_id="a"), button(action_id="b")),
        actions(button(action_id="a"), button(action_id="a")),
        "duplicate_action_id",
    ),
    (
        "confirm title",
        actions(button(confirm=confirm(title=100))),
        actions(button(confirm=confirm(title=101))),
        "too_long",
    ),
    (
        "confirm text",
        actions(button(confirm=confirm(text=300))),
        actions(button(confirm=confirm(text=301))),
        "too_long",
    ),
    (
        "confirm label",
        actions(button(confirm=confirm(label=30))),
        actions(button(confirm=confirm(label=31))),
        "too_long",
    ),
    ("select options", actions(select(options=100)), actions(select(options=101)), "too_many"),
    ("select has options", actions(select()), actions({"type": "static_select"}), "required"),
    ("option text", actions(select(initial_option=option(75))), actions(select(initial_option=option(76))), "too_long"),
    (
        "option value",
        actions(select(initial_option=option(1, 150))),
        actions(select(initial_option=option(1, 151))),
        "too_long",
    ),
    ("placeholder", actions(select(placeholder=plain(150))), actions(select(placeholder=plain(151))), "too_long"),
    ("radio buttons", actions(select("radio_buttons", 10)), actions(select("radio_buttons", 11)), "too_many"),
    ("overflow", actions(select("overflow", 5)), actions(select("overflow", 6)), "too_many"),
    ("input label", entry(2000), entry(2001), "too_long"),
    ("max_length", entry(max_length=3000), entry(max_length=3001), "range"),
    ("min and max length", entry(min_length=2, max_length=2), entry(min_length=3, max_length=2), "range"),
    ("table rows", table(100, 1), table(101, 1), "too_many"),
    ("table cells", table(1, 20), table(1, 21), "too_many"),
    ("table cell holds text", table(1, 1), table(1, 1, 0), "too_short"),
    ("table characters", table(10, 10, 100), table(10, 10, 101), "too_long"),
    ("task status", task("complete"), task("done"), "choice"),
    ("no invented keys", section(expand=True), section(colour="red"), "unknown_property"),
    ("no invented text keys", section(), {"type": "section", "text": mrkdwn(1) | {"emoji": True}}, "unknown_property"),
]


@pytest.mark.parametrize(
    ("allowed", "refused_one", "rule"), [case[1:] for case in BOTH_SIDES], ids=[c[0] for c in BOTH_SIDES]
)
def test_each_limit_holds_on_both_sides(allowed: Json, refused_one: Json, rule: str) -> None:
    assert refused_block(allowed) == []
    assert rule in [found for _, found in refused_block(refused_one)]


def rich(part: Json) -> Json:
    return {"type": "rich_text", "elements": [part]}


UNKNOWN = [
    ("block", {"type": "carousel", "elements": []}),
    ("element", actions({"type": "checkboxes", "options": [option()]})),
    ("accessory", section(accessory={"type": "image", "alt_text": "x", "image_url": "https://example.com/a.png"})),
    ("note", {"type": "context", "elements": [{"type": "image", "alt_text": "x", "image_url": "https://x.test"}]}),
    ("field", {"type": "input", "label": plain(1), "element": {"type": "number_input", "is_decimal_allowed": False}}),
    ("part of rich text", rich({"type": "rich_text_quote", "elements": []})),
    ("leaf of rich text", rich({"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "here"}]})),
    ("cell", {"type": "table", "rows": [[{"type": "raw_number", "value": 1}]]}),
    ("chart", {"type": "data_visualization", "title": "x", "chart": {"type": "pie", "segments": []}}),
]


@pytest.mark.parametrize("block", [case[1] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_a_type_that_the_bot_does_not_send_is_refused_with_the_place_to_add_it(block: Json) -> None:
    [found] = violations({"text": "t", "blocks": [block]}, surface="message")

    [unknown] = types_in(block) - TYPES
    assert (found.rule, found.is_refused) == ("unknown_type", True)
    assert re.match(rf"unsupported (block )?type: {unknown} \(", found.message)
    for place in ("services/sandbox/slack/limits_schema.py", "services/sandbox/page/render.py"):
        assert place in found.message
        assert Path(place).is_file()


def types_in(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*(types_in(item) for item in value))
    if not isinstance(value, dict):
        return set()
    own = {value["type"]} if "type" in value else set()
    return own.union(*(types_in(item) for item in value.values()))


def test_the_local_slack_knows_only_types_that_the_bot_sends() -> None:
    source = "".join(path.read_text() for path in Path("bot").rglob("*.py"))
    sent = {CHART, *re.findall(r'"type": "(\w+)"', source)}

    assert sent >= TYPES


def test_the_page_draws_what_the_local_slack_accepts() -> None:
    assert DRAWABLE == TYPES


def test_the_path_leads_to_the_fault() -> None:
    assert refused_block(section(3001)) == [("/blocks/0/text/text", "too_long")]
    assert refused_block(actions(button(), button(tint="red"))) == [("/blocks/0/elements/1/tint", "unknown_property")]


@pytest.mark.parametrize(("surface", "limit"), [("message", 50), ("modal", 100), ("home", 100)])
def test_blocks_are_counted(surface: Surface, limit: int) -> None:
    view = {"message": {"text": "t"}, "modal": modal(), "home": {"type": "home"}}[surface]

    assert refused({**view, "blocks": [section()] * limit}, surface) == []
    assert len(refused({**view, "blocks": [section()] * (limit + 1)}, surface)) == 1


def test_a_block_id_is_unique_in_the_message() -> None:
    assert refused({"text": "t", "blocks": [section(block_id="a"), section(block_id="b")]}) == []
    assert refused({"text": "t", "blocks": [section(block_id="a"), section(block_id="a")]}) == [
        ("/blocks/1/block_id", "duplicate_block_id")
    ]


def test_the_same_action_id_may_stand_in_two_blocks() -> None:
    assert refused({"text": "t", "blocks": [actions(button(action_id="a")), actions(button(action_id="a"))]}) == []


def test_one_table_a_message() -> None:
    assert refused({"text": "t", "blocks": [table(1, 1), table(1, 1)]}) == [("/blocks", "only_one_table_allowed")]


def test_only_an_update_refuses_text_over_4000() -> None:
    assert refused({"text": "x" * 4_000}, method="chat.update") == []
    assert refused({"text": "x" * 4_001}, method="chat.update") == [("/text", "msg_too_long")]
    assert refused({"text": "x" * 4_001}, method="chat.postMessage") == []


def test_text_over_40000_is_cut_and_blocks_without_text_are_silent_but_neither_is_refused() -> None:
    long = violations({"text": "x" * 40_001}, surface="message", method="chat.postMessage")
    mute = violations({"blocks": [section()]}, surface="message", method="chat.postMessage")

    assert [(v.rule, v.is_refused) for v in [*long, *mute]] == [("truncated", False), ("fallback_text", False)]


@pytest.mark.parametrize(("argument", "value"), [("attachments", [{"text": "x"}]), ("markdown_text", "x")])
def test_an_argument_that_the_bot_does_not_send_is_refused(argument: str, value: Any) -> None:
    assert refused({"text": "t", argument: value}) == [(f"/{argument}", "unknown_argument")]
    assert refused({"text": "t", argument: None}) == []


def test_metadata_has_a_type_and_a_payload() -> None:
    assert refused({"text": "t", "metadata": {"event_type": "a", "event_payload": {}}}) == []
    assert refused({"text": "t", "metadata": {"event_type": "a"}}) == [("/metadata/event_payload", "metadata")]


@pytest.mark.parametrize("key", ["title", "submit", "close"])
def test_a_modal_labels_are_at_most_24_long(key: str) -> None:
    assert refused(modal(section()) | {key: plain(24)}, "modal") == []
    assert refused(modal(section()) | {key: plain(25)}, "modal") == [(f"/{key}/text", "too_long")]


def test_a_modal_with_an_input_needs_a_submit_button() -> None:
    assert refused(modal(entry(), submit=plain(1)), "modal") == []
    assert refused(modal(entry()), "modal") == [("/submit", "required")]


def test_private_metadata_is_at_most_3000_long() -> None:
    assert refused(modal(private_metadata="x" * 3000), "modal") == []
    assert refused(modal(private_metadata="x" * 3001), "modal") == [("/private_metadata", "too_long")]


def test_a_view_is_at_most_250_kilobytes() -> None:
    assert refused(modal(*[section(2_400)] * 99), "modal") == []
    assert ("", "view_too_large") in refused(modal(*[section(2_600)] * 99), "modal")


def test_a_view_names_its_surface() -> None:
    assert refused({"type": "home", "blocks": []}, "modal") == [("/type", "unknown_type")]


def test_tables_stand_in_messages_only() -> None:
    assert refused({"type": "home", "blocks": [table(1, 1)]}, "home") == [("/blocks/0/type", "not_allowed_here")]


@pytest.mark.parametrize("text", ["<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S012|@ops>"])
def test_broadcasts_are_found_where_slack_parses_text(text: str) -> None:
    section_block = {"type": "section", "text": mrkdwn(text)}
    payload = {"text": text, "blocks": [section_block]}

    assert [path for path, rule in refused(payload) if rule == "broadcast"] == [
        "/text",
        "/blocks/0/text/text",
    ]


def test_broadcast_in_literal_text_is_allowed() -> None:
    rich = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "<!channel>"}]}
    literal = [
        {"type": "header", "text": {"type": "plain_text", "text": "<!channel>"}},
        {"type": "rich_text", "elements": [rich]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "<!here>"}]]},
        {"type": "section", "text": mrkdwn("&lt;!channel&gt; <!date^1^{time}|now> <@U1>")},
    ]

    assert refused({"text": "&lt;!channel&gt;", "blocks": literal}) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "elements"]), inner),
    max_leaves=8,
)


@given(json_values)
def test_any_block_at_all_is_judged_without_an_exception(block: Any) -> None:
    payload = {"text": "t", "blocks": [block]}
    before = copy.deepcopy(payload)

    violations(payload, surface="message")

    assert payload == before
