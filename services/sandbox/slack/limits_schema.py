"""Block Kit as data: the keys of each block, element and object that the bot sends, and their limits.

All other types are refused with `HINT`. To send another one, describe it here with Slack's limits and draw it in
`services/sandbox/page/`; tests compare this module with the source of the bot and with the page.
Sources: docs.slack.dev/reference/block-kit, slack_sdk 3.47.0, @slack/types 3.2.0. Where they differ, the stricter limit
is used, so that what passes here passes there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Where = Literal["block", "element", "rich", "chart"]


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
    """The keys of an object besides `type`. `any_of`: keys of which at least one is given."""

    required: Mapping[str, Spec] = field(default_factory=dict)
    optional: Mapping[str, Spec] = field(default_factory=dict)
    any_of: frozenset[str] = frozenset()


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

CONTROLS = "datepicker radio_buttons static_select users_select"
FIELDS = f"plain_text_input {CONTROLS}"
RICH_TEXT = Shape({"elements": ListOf(_typed("rich", "rich_text_section rich_text_preformatted"), 3000)})

OBJECTS: Mapping[str, Shape] = {
    "option": Shape({"text": Text(75), "value": Str(150)}, {"description": Text(75), "url": URL}),
    "confirm": Shape(
        {
            "title": Text(100, is_plain=True),
            "text": Text(300),
            "confirm": Text(30, is_plain=True),
            "deny": Text(30, is_plain=True),
        },
        {"style": STYLE},
    ),
    "metadata": Shape({"event_type": Str(255), "event_payload": Anything()}, {"entities": Anything()}),
    "series": Shape({"name": Str(20), "data": ListOf(Obj("point"), 20)}),
    "point": Shape({"label": Str(20), "value": Num()}),
    "axis": Shape({"categories": ListOf(Str(20), 20)}, {"x_label": Str(50), "y_label": Str(50)}),
}

# docs.slack.dev/reference/block-kit/blocks/data-visualization-block
CHARTS: Mapping[str, Shape] = {"line": Shape({"series": ListOf(Obj("series"), 6), "axis_config": Obj("axis")})}

INPUT_COMMON: Mapping[str, Spec] = {"action_id": ID, "focus_on_load": Bool()}
SELECT_COMMON: Mapping[str, Spec] = {**INPUT_COMMON, "placeholder": PLAIN_150, "confirm": CONFIRM}

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
    "overflow": Shape({"options": ListOf(Obj("option"), 5)}, {"action_id": ID, "confirm": CONFIRM}),
    "mrkdwn": Shape({"text": Str(3000)}, {"verbatim": Bool()}),
    "plain_text": Shape({"text": Str(3000)}, {"emoji": Bool()}),
    "radio_buttons": Shape(
        {"options": ListOf(Obj("option"), 10)}, {**INPUT_COMMON, "initial_option": Obj("option"), "confirm": CONFIRM}
    ),
    "datepicker": Shape({}, {**SELECT_COMMON, "initial_date": Str(pattern=r"\d{4}-\d\d-\d\d")}),
    "static_select": Shape({"options": OPTIONS}, {**SELECT_COMMON, "initial_option": Obj("option")}),
    "users_select": Shape({}, {**SELECT_COMMON, "initial_user": Str()}),
    "plain_text_input": Shape(
        {},
        {
            **INPUT_COMMON,
            "placeholder": PLAIN_150,
            "initial_value": Str(3000, low=0),
            "multiline": Bool(),
            "min_length": Num(0, 3000),
            "max_length": Num(1, 3000),
        },
    ),
    "raw_text": Shape({"text": Str(3000)}),
}

RICH: Mapping[str, Shape] = {
    "rich_text_section": Shape({"elements": ListOf(_typed("rich", "text user"), 3000, low=0)}),
    "rich_text_preformatted": Shape(
        {"elements": ListOf(_typed("rich", "text"), 3000, low=0)}, {"border": Num(0, 1), "language": Str()}
    ),
    "text": Shape({"text": Str()}),
    "user": Shape({"user_id": Str()}),
}

TASK: Mapping[str, Spec] = {
    "details": _typed("block", "rich_text"),
    "output": _typed("block", "rich_text"),
    "status": OneOf(_set("pending in_progress complete error")),
}
BLOCKS: Mapping[str, Shape] = {
    "actions": Shape({"elements": ListOf(_typed("element", f"button overflow {CONTROLS}"), 25)}),
    "context": Shape({"elements": ListOf(_typed("element", "mrkdwn plain_text"), 10)}),
    "data_visualization": Shape({"title": Str(50), "chart": _typed("chart", "line")}),
    "header": Shape({"text": PLAIN_150}, {"level": Num(1, 4)}),
    "input": Shape(
        {"label": PLAIN_2000, "element": _typed("element", FIELDS)},
        {"hint": PLAIN_2000, "optional": Bool(), "dispatch_action": Bool()},
    ),
    "plan": Shape({"title": Str()}, {"tasks": ListOf(_typed("block", "task_card"), 50)}),
    "rich_text": RICH_TEXT,
    "section": Shape(
        {},
        {
            "text": Text(3000),
            "fields": ListOf(Text(2000), 10),
            "accessory": _typed("element", f"button overflow {CONTROLS}"),
            "expand": Bool(),
        },
        any_of=_set("text fields"),
    ),
    "table": Shape({"rows": ListOf(ListOf(_typed("element", "raw_text"), 20), 100)}),
    "task_card": Shape({"task_id": Str(), "title": Str()}, TASK),
}

TABLES: Mapping[Where, Mapping[str, Shape]] = {
    "block": BLOCKS,
    "element": ELEMENTS,
    "rich": RICH,
    "chart": CHARTS,
}
TYPES = frozenset(kind for table in TABLES.values() for kind in table)
HINT = (
    "the local Slack knows only what the bot sends; to send it, describe it in "
    "services/sandbox/slack/limits_schema.py and draw it in services/sandbox/page/render.py"
)

# The surfaces that may have a block at the top level; other blocks are allowed on all. Doubtful surfaces are left out.
SURFACES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_set("plan table task_card"), frozenset({"message"})),
    "data_visualization": frozenset({"message", "home"}),
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
