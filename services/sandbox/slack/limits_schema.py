"""Block Kit as data: the keys of each block, element and object, and their limits.

Sources: docs.slack.dev/reference/block-kit, slack_sdk 3.47.0, @slack/types 3.2.0. Where they differ, the stricter limit
is used, so that what passes here passes there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Where = Literal["block", "element", "rich", "object", "chart"]


@dataclass(frozen=True)
class Str:
    """Text of `low` to `high` code points, matching `pattern` if there is one."""

    high: int = 0  # 0: Slack publishes no limit
    low: int = 1
    pattern: str = ""


@dataclass(frozen=True)
class Num:
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(frozen=True)
class Bool:
    pass


@dataclass(frozen=True)
class OneOf:
    values: frozenset[str]


@dataclass(frozen=True)
class Text:
    """A text object, `plain_text` or, unless `is_plain`, `mrkdwn`."""

    high: int
    is_plain: bool = False


@dataclass(frozen=True)
class ListOf:
    item: "Spec"
    high: int
    low: int = 1


@dataclass(frozen=True)
class Typed:
    """An object with a `type`, one of `types`, described in the table `where`."""

    where: Where
    types: frozenset[str]


@dataclass(frozen=True)
class Obj:
    """An object without a `type`, described in OBJECTS."""

    name: str


@dataclass(frozen=True)
class Anything:
    pass


Spec = Str | Num | Bool | OneOf | Text | ListOf | Typed | Obj | Anything


@dataclass(frozen=True)
class Shape:
    """The keys of an object besides `type`. `one_of`: groups of keys with exactly one given; `any_of`: at least one."""

    required: Mapping[str, Spec] = field(default_factory=dict)
    optional: Mapping[str, Spec] = field(default_factory=dict)
    one_of: tuple[frozenset[str], ...] = ()
    any_of: tuple[frozenset[str], ...] = ()


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _typed(where: Where, names: str) -> Typed:
    return Typed(where, _set(names))


ID = Str(255)
URL = Str(3000)
PLAIN_75, PLAIN_150, PLAIN_2000 = Text(75, is_plain=True), Text(150, is_plain=True), Text(2000, is_plain=True)
CONFIRM = Obj("confirm")
STYLE = OneOf(_set("primary danger"))
OPTIONS = ListOf(Obj("option"), 100)
GROUPS = ListOf(Obj("option_group"), 100)
IMAGE: Mapping[str, Spec] = {"image_url": URL, "slack_file": Obj("slack_file")}
IMAGE_SOURCE = (_set("image_url slack_file"),)

SELECTS = "static_select external_select users_select conversations_select channels_select"
MULTI_SELECTS = " ".join(f"multi_{name}" for name in SELECTS.split())
PICKERS = "datepicker timepicker checkboxes radio_buttons"
ACCESSORIES = f"button image overflow workflow_button {PICKERS} {SELECTS} {MULTI_SELECTS}"
ACTIONS = f"button overflow workflow_button datetimepicker {PICKERS} {SELECTS} {MULTI_SELECTS}"
TYPED_INPUTS = "plain_text_input email_text_input url_text_input number_input rich_text_input file_input"
FIELDS = f"datetimepicker {TYPED_INPUTS} {PICKERS} {SELECTS} {MULTI_SELECTS}"
RICH_PARTS = "text link emoji user usergroup channel broadcast date team color"
CELLS = _typed("element", "raw_text raw_number rich_text")
CHILD_BLOCKS = "section header context divider image actions rich_text table markdown"

RICH_BLOCKS = "rich_text_section rich_text_list rich_text_quote rich_text_preformatted"
RICH_TEXT = Shape({"elements": ListOf(_typed("rich", RICH_BLOCKS), 3000)})

OBJECTS: Mapping[str, Shape] = {
    "option": Shape({"text": Text(75), "value": Str(150)}, {"description": Text(75), "url": URL}),
    "option_group": Shape({"label": PLAIN_75, "options": OPTIONS}),
    "confirm": Shape(
        {
            "title": Text(100, is_plain=True),
            "text": Text(300),
            "confirm": Text(30, is_plain=True),
            "deny": Text(30, is_plain=True),
        },
        {"style": STYLE},
    ),
    "slack_file": Shape({}, {"id": Str(pattern=r"F[A-Z0-9]{8,}"), "url": URL}, one_of=(_set("id url"),)),
    "dispatch": Shape(
        {"trigger_actions_on": ListOf(OneOf(_set("on_enter_pressed on_character_entered")), 2)},
    ),
    "conversation_filter": Shape(
        {},
        {
            "include": ListOf(OneOf(_set("im mpim private public")), 4),
            "exclude_external_shared_channels": Bool(),
            "exclude_bot_users": Bool(),
        },
    ),
    "column": Shape({}, {"align": OneOf(_set("left center right")), "is_wrapped": Bool()}),
    "rich_style": Shape({}, {key: Bool() for key in ("bold", "italic", "strike", "code", "underline", "highlight")}),
    "feedback": Shape({"text": PLAIN_75, "value": Str(2000)}, {"accessibility_label": Str(75)}),
    "metadata": Shape({"event_type": Str(255), "event_payload": Anything()}, {"entities": Anything()}),
    "workflow": Shape({"trigger": Anything()}),
    "segment": Shape({"label": Str(20), "value": Num()}),
    "series": Shape({"name": Str(20), "data": ListOf(Obj("point"), 20)}),
    "point": Shape({"label": Str(20), "value": Num()}),
    "axis": Shape({"categories": ListOf(Str(20), 20)}, {"x_label": Str(50), "y_label": Str(50)}),
}

# docs.slack.dev/reference/block-kit/blocks/data-visualization-block
SERIES_CHART = Shape({"series": ListOf(Obj("series"), 6), "axis_config": Obj("axis")})
CHARTS: Mapping[str, Shape] = {
    "pie": Shape({"segments": ListOf(Obj("segment"), 6)}),
    **dict.fromkeys(_set("line bar area"), SERIES_CHART),
}

INPUT_COMMON: Mapping[str, Spec] = {"action_id": ID, "focus_on_load": Bool()}
SELECT_COMMON: Mapping[str, Spec] = {**INPUT_COMMON, "placeholder": PLAIN_150, "confirm": CONFIRM}
MULTI_COMMON: Mapping[str, Spec] = {**SELECT_COMMON, "max_selected_items": Num(1)}
TYPED_COMMON: Mapping[str, Spec] = {
    **INPUT_COMMON,
    "placeholder": PLAIN_150,
    "initial_value": Str(3000, low=0),
    "dispatch_action_config": Obj("dispatch"),
}
LENGTHS: Mapping[str, Spec] = {"multiline": Bool(), "min_length": Num(0, 3000), "max_length": Num(1, 3000)}
OPTION_LISTS: Mapping[str, Spec] = {"options": OPTIONS, "option_groups": GROUPS}
CONVERSATION: Mapping[str, Spec] = {"default_to_current_conversation": Bool(), "filter": Obj("conversation_filter")}
IDS = ListOf(Str(), 100)

ELEMENTS: Mapping[str, Shape] = {
    "button": Shape(
        {"text": PLAIN_75},
        {
            "action_id": ID,
            "url": URL,
            "value": Str(2000),
            "style": STYLE,
            "confirm": CONFIRM,
            "accessibility_label": Str(75),
        },
    ),
    "workflow_button": Shape(
        {"text": PLAIN_75, "workflow": Obj("workflow")},
        {"action_id": ID, "style": STYLE, "accessibility_label": Str(75)},
    ),
    "icon_button": Shape(
        {"icon": Str(), "text": PLAIN_75},
        {
            "action_id": ID,
            "value": Str(2000),
            "confirm": CONFIRM,
            "accessibility_label": Str(75),
            "visible_to_user_ids": IDS,
        },
    ),
    "feedback_buttons": Shape(
        {"positive_button": Obj("feedback"), "negative_button": Obj("feedback")}, {"action_id": ID}
    ),
    "overflow": Shape({"options": ListOf(Obj("option"), 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "image": Shape({"alt_text": Str(2000)}, IMAGE, one_of=IMAGE_SOURCE),
    "mrkdwn": Shape({"text": Str(3000)}, {"verbatim": Bool()}),
    "plain_text": Shape({"text": Str(3000)}, {"emoji": Bool()}),
    "checkboxes": Shape(
        {"options": ListOf(Obj("option"), 10)},
        {**INPUT_COMMON, "initial_options": ListOf(Obj("option"), 10), "confirm": CONFIRM},
    ),
    "radio_buttons": Shape(
        {"options": ListOf(Obj("option"), 10)}, {**INPUT_COMMON, "initial_option": Obj("option"), "confirm": CONFIRM}
    ),
    "datepicker": Shape({}, {**SELECT_COMMON, "initial_date": Str(pattern=r"\d{4}-\d\d-\d\d")}),
    "timepicker": Shape({}, {**SELECT_COMMON, "initial_time": Str(pattern=r"\d\d:\d\d"), "timezone": Str()}),
    "datetimepicker": Shape({}, {**INPUT_COMMON, "initial_date_time": Num(10**9, 10**10), "confirm": CONFIRM}),
    "static_select": Shape(
        {}, {**SELECT_COMMON, **OPTION_LISTS, "initial_option": Obj("option")}, one_of=(_set("options option_groups"),)
    ),
    "external_select": Shape({}, {**SELECT_COMMON, "initial_option": Obj("option"), "min_query_length": Num(0)}),
    "users_select": Shape({}, {**SELECT_COMMON, "initial_user": Str()}),
    "conversations_select": Shape(
        {}, {**SELECT_COMMON, **CONVERSATION, "initial_conversation": Str(), "response_url_enabled": Bool()}
    ),
    "channels_select": Shape({}, {**SELECT_COMMON, "initial_channel": Str(), "response_url_enabled": Bool()}),
    "multi_static_select": Shape(
        {}, {**MULTI_COMMON, **OPTION_LISTS, "initial_options": OPTIONS}, one_of=(_set("options option_groups"),)
    ),
    "multi_external_select": Shape({}, {**MULTI_COMMON, "initial_options": OPTIONS, "min_query_length": Num(0)}),
    "multi_users_select": Shape({}, {**MULTI_COMMON, "initial_users": IDS}),
    "multi_conversations_select": Shape({}, {**MULTI_COMMON, **CONVERSATION, "initial_conversations": IDS}),
    "multi_channels_select": Shape({}, {**MULTI_COMMON, "initial_channels": IDS}),
    "plain_text_input": Shape({}, {**TYPED_COMMON, **LENGTHS}),
    "email_text_input": Shape({}, TYPED_COMMON),
    "url_text_input": Shape({}, TYPED_COMMON),
    "number_input": Shape({"is_decimal_allowed": Bool()}, {**TYPED_COMMON, "min_value": Str(), "max_value": Str()}),
    "rich_text_input": Shape(
        {}, {**TYPED_COMMON, "initial_value": _typed("block", "rich_text"), "min_lines": Num(1), "max_lines": Num(1)}
    ),
    "file_input": Shape({}, {"action_id": ID, "filetypes": ListOf(Str(), 100), "max_files": Num(1, 10)}),
    "rich_text": RICH_TEXT,  # as a cell of a table
    "raw_text": Shape({"text": Str(3000)}),
    "raw_number": Shape({"value": Num()}, {"text": Str(3000)}),
    "url": Shape({"url": URL, "text": Str()}),
}

RICH_STYLED: Mapping[str, Spec] = {"style": Obj("rich_style")}
RICH_INLINE = ListOf(_typed("rich", RICH_PARTS), 3000, low=0)
RICH: Mapping[str, Shape] = {
    "rich_text_section": Shape({"elements": RICH_INLINE}),
    "rich_text_quote": Shape({"elements": RICH_INLINE}, {"border": Num(0, 1)}),
    "rich_text_preformatted": Shape(
        {"elements": ListOf(_typed("rich", "text link"), 3000, low=0)}, {"border": Num(0, 1), "language": Str()}
    ),
    "rich_text_list": Shape(
        {"elements": ListOf(_typed("rich", "rich_text_section"), 3000), "style": OneOf(_set("bullet ordered"))},
        {"indent": Num(0, 8), "offset": Num(0), "border": Num(0, 1)},
    ),
    "text": Shape({"text": Str()}, RICH_STYLED),
    "link": Shape({"url": URL}, {**RICH_STYLED, "text": Str(), "unsafe": Bool()}),
    "emoji": Shape({"name": Str()}, {**RICH_STYLED, "unicode": Str(), "skin_tone": Num(1, 6)}),
    "user": Shape({"user_id": Str()}, RICH_STYLED),
    "usergroup": Shape({"usergroup_id": Str()}, RICH_STYLED),
    "channel": Shape({"channel_id": Str()}, RICH_STYLED),
    "team": Shape({"team_id": Str()}, RICH_STYLED),
    "broadcast": Shape({"range": OneOf(_set("here channel everyone"))}, RICH_STYLED),
    "date": Shape({"timestamp": Num(0), "format": Str()}, {**RICH_STYLED, "url": URL, "fallback": Str()}),
    "color": Shape({"value": Str()}, RICH_STYLED),
}

CARD: Mapping[str, Spec] = {
    "hero_image": _typed("element", "image"),
    "icon": _typed("element", "image"),
    "title": Text(150),
    "subtitle": Text(150),
    "body": Text(200),
    "actions": ListOf(_typed("element", "button"), 3),
}
TASK: Mapping[str, Spec] = {
    "details": _typed("block", "rich_text"),
    "output": _typed("block", "rich_text"),
    "sources": ListOf(_typed("element", "url"), 100, low=0),
    "status": OneOf(_set("pending in_progress complete error")),
}
BLOCKS: Mapping[str, Shape] = {
    "actions": Shape({"elements": ListOf(_typed("element", ACTIONS), 25)}),
    "alert": Shape({"text": Text(3000)}, {"level": OneOf(_set("default info warning error success"))}),
    "card": Shape({}, CARD, any_of=(_set("hero_image title actions body"),)),
    "carousel": Shape({"elements": ListOf(_typed("block", "card"), 10)}),
    "container": Shape(
        {"child_blocks": ListOf(_typed("block", CHILD_BLOCKS), 10)},
        {
            "title": PLAIN_150,
            "rich_text_title": _typed("block", "rich_text"),
            "subtitle": Text(150),
            "width": Str(),
            "icon": _typed("element", "image"),
            "is_collapsible": Bool(),
            "default_collapsed": Bool(),
            "has_header_divider": Bool(),
        },
        one_of=(_set("title rich_text_title"),),
    ),
    "context": Shape({"elements": ListOf(_typed("element", "mrkdwn plain_text image"), 10)}),
    "context_actions": Shape({"elements": ListOf(_typed("element", "feedback_buttons icon_button"), 5)}),
    "data_table": Shape(
        {"caption": Str(), "rows": ListOf(ListOf(CELLS, 20), 101, low=2)},
        {"page_size": Num(1, 100), "row_header_column_index": Num(0, 19)},
    ),
    "data_visualization": Shape({"title": Str(50), "chart": _typed("chart", "line bar area pie")}),
    "divider": Shape(),
    "file": Shape({"external_id": Str(), "source": OneOf(_set("remote"))}),
    "header": Shape({"text": PLAIN_150}, {"level": Num(1, 4)}),
    "image": Shape({"alt_text": Str(2000)}, {**IMAGE, "title": PLAIN_2000}, one_of=IMAGE_SOURCE),
    "input": Shape(
        {"label": PLAIN_2000, "element": _typed("element", FIELDS)},
        {"hint": PLAIN_2000, "optional": Bool(), "dispatch_action": Bool()},
    ),
    "markdown": Shape({"text": Str(12_000)}),
    "plan": Shape({"title": Str()}, {"tasks": ListOf(_typed("block", "task_card"), 50)}),
    "rich_text": RICH_TEXT,
    "section": Shape(
        {},
        {
            "text": Text(3000),
            "fields": ListOf(Text(2000), 10),
            "accessory": _typed("element", ACCESSORIES),
            "expand": Bool(),
        },
        any_of=(_set("text fields"),),
    ),
    "table": Shape({"rows": ListOf(ListOf(CELLS, 20), 100)}, {"column_settings": ListOf(Obj("column"), 20)}),
    "task_card": Shape({"task_id": Str(), "title": Str()}, TASK),
    "video": Shape(
        {"alt_text": Str(), "title": Text(200, is_plain=True), "thumbnail_url": URL, "video_url": URL},
        {
            "title_url": URL,
            "description": Text(200, is_plain=True),
            "provider_icon_url": URL,
            "provider_name": Str(),
            "author_name": Str(50),
        },
    ),
}

# The surfaces that may have a block at the top level; other blocks are allowed on all. Doubtful surfaces are left out.
MESSAGE, MODAL = frozenset({"message"}), frozenset({"modal"})
MESSAGE_OR_HOME = frozenset({"message", "home"})
SURFACES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_set("container context_actions data_table file markdown plan table task_card"), MESSAGE),
    **dict.fromkeys(_set("card carousel data_visualization"), MESSAGE_OR_HOME),
    "alert": MODAL,
}
BLOCKS_PER_SURFACE: Mapping[str, int] = {"message": 50, "modal": 100, "home": 100}

PLAIN_24 = Text(24, is_plain=True)
VIEW_COMMON: Mapping[str, Spec] = {
    "private_metadata": Str(3000, low=0),
    "callback_id": Str(255, low=0),
    "external_id": Str(255, low=0),
}
VIEWS: Mapping[str, Shape] = {
    "modal": Shape(
        {"title": PLAIN_24, "blocks": Anything()},
        {
            **VIEW_COMMON,
            "close": PLAIN_24,
            "submit": PLAIN_24,
            "clear_on_close": Bool(),
            "notify_on_close": Bool(),
            "submit_disabled": Bool(),
        },
    ),
    "home": Shape({"blocks": Anything()}, VIEW_COMMON),
}
