"""The emoji names that operations messages use; an unknown name stays as it is typed, as in Slack."""

from __future__ import annotations

import re

from markupsafe import Markup

from services.sandbox.page.drawing.html import Child, el, join

EMOJI = {
    "+1": "👍", "-1": "👎", "100": "💯", "alarm_clock": "⏰", "arrow_down": "⬇️", "arrow_left": "⬅️",
    "arrow_right": "➡️", "arrow_up": "⬆️", "arrows_counterclockwise": "🔄", "ballot_box_with_check": "☑️",
    "bar_chart": "📊", "bell": "🔔", "black_circle": "⚫", "blue_book": "📘", "books": "📚", "broken_heart": "💔",
    "bug": "🐛", "bulb": "💡", "calendar": "📆", "chart_with_downwards_trend": "📉",
    "chart_with_upwards_trend": "📈", "clipboard": "📋", "clock1": "🕐", "closed_lock_with_key": "🔐",
    "computer": "💻", "construction": "🚧", "control_knobs": "🎛️", "cyclone": "🌀", "dart": "🎯", "dizzy": "💫",
    "dragon": "🐉", "elephant": "🐘", "exclamation": "❗", "eyes": "👀", "file_folder": "📁", "fire": "🔥",
    "fire_engine": "🚒", "floppy_disk": "💾", "gear": "⚙️", "ghost": "👻", "green_book": "📗", "green_heart": "💚",
    "grey_exclamation": "❕", "grey_question": "❔", "hammer": "🔨", "hammer_and_wrench": "🛠️", "hand": "✋",
    "heart": "❤️", "heartbeat": "💓", "heavy_check_mark": "✔️", "heavy_exclamation_mark": "❗",
    "heavy_minus_sign": "\u2796",
    "heavy_multiplication_x": "✖️", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "inbox_tray": "📥",
    "information_source": "\u2139\ufe0f", "key": "🔑", "label": "🏷️", "large_blue_circle": "🔵",
    "large_blue_square": "🟦",
    "large_brown_circle": "🟤", "large_green_circle": "🟢", "large_green_square": "🟩", "large_orange_circle": "🟠",
    "large_purple_circle": "🟣", "large_red_square": "🟥", "large_yellow_circle": "🟡", "large_yellow_square": "🟨",
    "link": "🔗", "lock": "🔒", "mag": "🔍", "mega": "📣", "memo": "📝", "mute": "🔇", "no_bell": "🔕",
    "no_entry": "⛔", "no_entry_sign": "🚫", "octagonal_sign": "🛑", "ok": "🆗", "ok_hand": "👌", "outbox_tray": "📤",
    "package": "📦", "page_facing_up": "📄", "pager": "📟", "paperclip": "📎", "passport_control": "🛂",
    "pencil2": "✏️", "point_right": "👉", "pushpin": "📌", "question": "❓", "raised_hand": "✋", "raised_hands": "🙌",
    "recycle": "♻️", "red_circle": "🔴", "repeat": "🔁", "rewind": "⏪", "robot_face": "🤖", "rocket": "🚀",
    "rotating_light": "🚨", "satellite": "🛰️", "scroll": "📜", "shield": "🛡️", "skull": "💀", "sleeping": "😴",
    "small_blue_diamond": "🔹", "small_orange_diamond": "🔸", "snail": "🐌", "snowflake": "❄️", "sos": "🆘",
    "sparkles": "✨", "speech_balloon": "💬", "star": "⭐", "stethoscope": "🩺", "stop_sign": "🛑", "stopwatch": "⏱️",
    "tada": "🎉", "thermometer": "🌡️", "thinking_face": "🤔", "thread": "🧵", "thumbsdown": "👎", "thumbsup": "👍",
    "timer_clock": "⏲️", "traffic_light": "🚦", "triangular_flag_on_post": "🚩", "unlock": "🔓", "warning": "⚠️",
    "wastebasket": "🗑️", "watch": "⌚", "wave": "👋", "white_check_mark": "✅", "white_circle": "⚪",
    "white_large_square": "⬜", "wrench": "🔧", "x": "❌", "zap": "⚡", "zzz": "💤", "dragon_face": "🐲",
}  # fmt: skip

_NAME = re.compile(r":([a-z0-9_+'-]+):(?::skin-tone-\d:)?")


def emoji(name: str) -> Markup:
    """The character, with its name for those who hover or listen."""
    character = EMOJI.get(name)
    if character is None:
        return el("span", f":{name}:", class_="emoji-unknown")
    label = name.replace("_", " ")
    return el("span", character, class_="emoji", role="img", aria_label=label, title=f":{name}:")


def with_emoji(text: str) -> Markup:
    """Plain text with its `:names:` drawn; everything else escaped."""
    parts: list[Child] = []
    end = 0
    for match in _NAME.finditer(text):
        if match[1] in EMOJI:
            parts += [text[end : match.start()], emoji(match[1])]
            end = match.end()
    return join([*parts, text[end:]])
