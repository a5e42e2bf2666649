"""Draws buttons, menus, pickers and fields as native form controls.

The wrapper of a control carries the ids that are reported when it is used (`data-block`, `data-action`, `data-type`); a
choice is reported by its option's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from markupsafe import Markup

from services.sandbox.page.drawing.html import Child, Drawing, Json, cannot_draw, el
from services.sandbox.page.drawing.mrkdwn import plain, text_object

Draw = Callable[[Json, Drawing], Markup]


def static_select(element: Json, drawing: Drawing) -> Markup:
    chosen = (element.get("initial_option") or {}).get("value")
    return _select(
        element,
        drawing,
        [
            el("option", plain(option.get("text")), value=option.get("value"), selected=option.get("value") == chosen)
            for option in element.get("options", ())
        ],
    )


def users_select(element: Json, drawing: Drawing) -> Markup:
    chosen = element.get("initial_user")
    options = [el("option", f"@{name}", value=key, selected=key == chosen) for key, name in drawing.users.items()]
    return _select(element, drawing, options)


def _select(element: Json, drawing: Drawing, options: Iterable[Child]) -> Markup:
    return el(
        "select",
        el("option", plain(element.get("placeholder")) or "Choose an option", value=""),
        options,
        name=_id(element, drawing),
        id=_id(element, drawing),
        aria_label=drawing.label,
        data_send=True,
    )


def radio_buttons(element: Json, drawing: Drawing) -> Markup:
    chosen = (element.get("initial_option") or {}).get("value")
    rows = [
        el(
            "label",
            el(
                "input",
                type="radio",
                name=_id(element, drawing),
                value=option.get("value"),
                checked=option.get("value") == chosen,
                data_send=True,
            ),
            el("span", text_object(option.get("text"), drawing), description(option, drawing)),
            class_="choice",
        )
        for option in element.get("options", ())
    ]
    return el("fieldset", rows, role="radiogroup", aria_label=drawing.label)


def datepicker(element: Json, drawing: Drawing) -> Markup:
    return _field("date", element, drawing, value=element.get("initial_date"), data_send=True)


def _field(kind: str, element: Json, drawing: Drawing, **attributes: object) -> Markup:
    return el(
        "input",
        type=kind,
        name=_id(element, drawing),
        id=_id(element, drawing),
        placeholder=plain(element.get("placeholder")) or None,
        aria_label=drawing.label,
        autocomplete="off",
        autofocus=element.get("focus_on_load"),
        **attributes,
    )


def text_input(element: Json, drawing: Drawing) -> Markup:
    if not element.get("multiline"):
        low, high = element.get("min_length"), element.get("max_length")
        return _field("text", element, drawing, value=element.get("initial_value"), minlength=low, maxlength=high)
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
    "overflow": _overflow,
    "static_select": static_select,
    "users_select": users_select,
    "radio_buttons": radio_buttons,
    "plain_text_input": text_input,
    "datepicker": datepicker,
}
