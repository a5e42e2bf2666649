"""Menus, choices and fields: what holds a value until it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing, Json
from services.sandbox.page.drawing.html import Child, el
from services.sandbox.page.drawing.text import plain, text_object

Draw = Callable[[Json, Drawing], Markup]


def static_select(element: Json, drawing: Drawing) -> Markup:
    multiple = str(element.get("type")).startswith("multi_")
    chosen = element.get("initial_options") if multiple else [element.get("initial_option")]
    values = [option.get("value") for option in chosen or () if option]
    options: list[Child] = []
    for group in element.get("option_groups") or ():
        options.append(el("optgroup", _options(group.get("options", ()), values), label=plain(group.get("label"))))
    options.append(_options(element.get("options", ()), values))
    return _select(element, drawing, options, multiple=multiple)


def _options(options: Sequence[Json], chosen: Sequence[object]) -> list[Child]:
    return [
        el("option", plain(option.get("text")), value=option.get("value"), selected=option.get("value") in chosen)
        for option in options
    ]


def users_select(element: Json, drawing: Drawing) -> Markup:
    return _directory_select(element, drawing, {key: f"@{name}" for key, name in drawing.users.items()}, "user")


def channels_select(element: Json, drawing: Drawing) -> Markup:
    kind = "channel" if "channels" in str(element.get("type")) else "conversation"
    return _directory_select(element, drawing, {key: f"#{name}" for key, name in drawing.channels.items()}, kind)


def _directory_select(element: Json, drawing: Drawing, names: Mapping[str, str], kind: str) -> Markup:
    multiple = str(element.get("type")).startswith("multi_")
    chosen = element.get(f"initial_{kind}s", ()) if multiple else [element.get(f"initial_{kind}")]
    options = [el("option", name, value=key, selected=key in chosen) for key, name in names.items()]
    return _select(element, drawing, options, multiple=multiple)


def _select(element: Json, drawing: Drawing, options: Iterable[Child], *, multiple: bool) -> Markup:
    placeholder = None if multiple else el("option", plain(element.get("placeholder")) or "Choose an option", value="")
    return el(
        "select",
        placeholder,
        options,
        name=_id(element, drawing),
        id=_id(element, drawing),
        multiple=multiple,
        aria_label=drawing.label,
        data_send=True,
    )


def choices(kind: str) -> Draw:
    def draw(element: Json, drawing: Drawing) -> Markup:
        initial = element.get("initial_options") or [element.get("initial_option")]
        values = [option.get("value") for option in initial if option]
        rows = [
            el(
                "label",
                el(
                    "input",
                    type=kind,
                    name=_id(element, drawing),
                    value=option.get("value"),
                    checked=option.get("value") in values,
                    data_send=True,
                ),
                el("span", text_object(option.get("text"), drawing), description(option, drawing)),
                class_="choice",
            )
            for option in element.get("options", ())
        ]
        return el("fieldset", rows, role="radiogroup" if kind == "radio" else "group", aria_label=drawing.label)

    return draw


def field(kind: str, initial: str = "initial_value") -> Draw:
    def draw(element: Json, drawing: Drawing) -> Markup:
        return el(
            "input",
            type=kind,
            name=_id(element, drawing),
            id=_id(element, drawing),
            value=element.get(initial),
            placeholder=plain(element.get("placeholder")) or None,
            minlength=element.get("min_length"),
            maxlength=element.get("max_length"),
            step="any" if element.get("is_decimal_allowed") else None,
            aria_label=drawing.label,
            autocomplete="off",
            autofocus=element.get("focus_on_load"),
            data_send=initial != "initial_value",
        )

    return draw


def text_input(element: Json, drawing: Drawing) -> Markup:
    if not element.get("multiline"):
        return field("text")(element, drawing)
    return el(
        "textarea",
        element.get("initial_value"),
        name=_id(element, drawing),
        id=_id(element, drawing),
        placeholder=plain(element.get("placeholder")) or None,
        maxlength=element.get("max_length"),
        rows=4,
        aria_label=drawing.label,
        autofocus=element.get("focus_on_load"),
    )


def description(option: Json, drawing: Drawing) -> Markup | None:
    description = option.get("description")
    return el("small", text_object(description, drawing)) if description else None


def _id(element: Json, drawing: Drawing) -> str:
    """Unique on the page; also a field's name, by which the page knows it again after an update."""
    return drawing.dom_id(str(element.get("action_id", "")))
