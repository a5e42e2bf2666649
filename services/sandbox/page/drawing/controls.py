"""Draws buttons, menus, pickers and fields as native form controls.

The wrapper of a control carries the ids that are reported when it is used (`data-block`, `data-action`, `data-type`); a
choice is reported by its option's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from markupsafe import Markup

from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el
from services.sandbox.page.drawing.mrkdwn import plain, text_object

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
    """The control's DOM id, unique on the page; also a field's name, by which an update of the page finds it."""
    return drawing.dom_id(str(element.get("action_id", "")))


def control(element: Json, drawing: Drawing, label: str | None = None) -> Markup:
    """One interactive element; `label` names it for screen readers if no visible label is attached to it."""
    kind = str(element.get("type"))
    draw = CONTROLS.get(kind)
    if draw is None:
        return cannot_draw("element", kind)
    return el(
        "span",
        draw(element, drawing.naming(label or plain(element.get("placeholder")) or kind.replace("_", " "))),
        confirmation(element.get("confirm"), drawing),
        class_=f"control control-{kind.replace('_', '-')}",
        data_control=True,
        data_block=drawing.block_id,
        data_action=element.get("action_id", ""),
        data_type=kind,
    )


def confirmation(confirm: Json | None, drawing: Drawing) -> Markup | None:
    """The question before the action is sent, kept in a template until it is needed."""
    if not confirm:
        return None
    danger = confirm.get("style") == "danger"
    return el(
        "template",
        el("h2", text_object(confirm.get("title"), drawing)),
        el("div", text_object(confirm.get("text"), drawing), class_="dialog-text"),
        el(
            "div",
            el("button", plain(confirm.get("deny")) or "Cancel", class_="button", value="no", autofocus=True),
            el(
                "button",
                plain(confirm.get("confirm")) or "Confirm",
                class_=f"button button-{'danger' if danger else 'primary'}",
                value="yes",
            ),
            class_="dialog-buttons",
        ),
        class_="confirmation",
    )


def _button(element: Json, drawing: Drawing) -> Markup:
    style = element.get("style")
    class_ = f"button button-{style}" if style in ("primary", "danger") else "button"
    label = element.get("accessibility_label")
    url = element.get("url")
    text = text_object(element.get("text"), drawing)
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return el(
            "a",
            text,
            class_=class_,
            href=url,
            target="_blank",
            rel="noopener noreferrer",
            aria_label=label,
            data_send=True,
        )
    return el("button", text, type="button", class_=class_, aria_label=label, data_send=True)


def _icon_button(element: Json, _drawing: Drawing) -> Markup:
    icon = {"trash": "🗑️"}.get(str(element.get("icon")), "•")
    label = plain(element.get("text"))
    return el("button", icon, type="button", class_="button button-icon", title=label, aria_label=label, data_send=True)


def _feedback(element: Json, _drawing: Drawing) -> Markup:
    def thumb(side: str, icon: str) -> Markup:
        button = element.get(f"{side}_button") or {}
        label = button.get("accessibility_label") or plain(button.get("text"))
        return el(
            "button",
            icon,
            type="button",
            class_="button button-icon",
            title=plain(button.get("text")),
            aria_label=label,
            data_send=True,
            data_choice=button.get("value"),
        )

    return el("span", thumb("positive", "👍"), thumb("negative", "👎"), class_="feedback", role="group")


def _overflow(element: Json, drawing: Drawing) -> Markup:
    items = [_overflow_item(option, drawing) for option in element.get("options", ())]
    summary = el("summary", "⋯", class_="button button-icon", aria_label="More actions")
    return el("details", summary, el("div", items, class_="menu", role="menu"), class_="popup")


def _overflow_item(option: Json, drawing: Drawing) -> Markup:
    return el(
        "button",
        text_object(option.get("text"), drawing),
        description(option, drawing),
        type="button",
        role="menuitem",
        data_send=True,
        data_choice=option.get("value"),
    )


CONTROLS: dict[str, Draw] = {
    "button": _button,
    "icon_button": _icon_button,
    "feedback_buttons": _feedback,
    "overflow": _overflow,
    "static_select": static_select,
    "multi_static_select": static_select,
    "users_select": users_select,
    "multi_users_select": users_select,
    "channels_select": channels_select,
    "multi_channels_select": channels_select,
    "conversations_select": channels_select,
    "multi_conversations_select": channels_select,
    "radio_buttons": choices("radio"),
    "checkboxes": choices("checkbox"),
    "plain_text_input": text_input,
    "number_input": field("number"),
    "email_text_input": field("email"),
    "url_text_input": field("url"),
    "datepicker": field("date", "initial_date"),
    "timepicker": field("time", "initial_time"),
}
