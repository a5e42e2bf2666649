"""What a person can click or fill in: buttons, menus, pickers, fields.

Each control becomes a native form control. Its wrapper carries the ids that are reported when it is used
(`data-block`, `data-action`, `data-type`), and a choice is reported by its option's value.
"""

from __future__ import annotations

from markupsafe import Markup

from services.sandbox.page.drawing import fields
from services.sandbox.page.drawing.context import Drawing, Json
from services.sandbox.page.drawing.fields import Draw, description
from services.sandbox.page.drawing.html import el
from services.sandbox.page.drawing.problem import cannot_draw
from services.sandbox.page.drawing.text import plain, text_object


def control(element: Json, drawing: Drawing, label: str | None = None) -> Markup:
    """One interactive element; `label` names it for those who listen when no visible label is tied to it."""
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
    """The question asked before the action is sent, kept in a template until it is needed."""
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
    "static_select": fields.static_select,
    "multi_static_select": fields.static_select,
    "users_select": fields.users_select,
    "multi_users_select": fields.users_select,
    "channels_select": fields.channels_select,
    "multi_channels_select": fields.channels_select,
    "conversations_select": fields.channels_select,
    "multi_conversations_select": fields.channels_select,
    "radio_buttons": fields.choices("radio"),
    "checkboxes": fields.choices("checkbox"),
    "plain_text_input": fields.text_input,
    "number_input": fields.field("number"),
    "email_text_input": fields.field("email"),
    "url_text_input": fields.field("url"),
    "datepicker": fields.field("date", "initial_date"),
    "timepicker": fields.field("time", "initial_time"),
}
