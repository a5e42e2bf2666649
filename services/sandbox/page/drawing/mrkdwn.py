"""Slack's text as HTML: mrkdwn, entities, emoji and text objects."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup

from services.sandbox.page.drawing.html import Child, Drawing, Json, el, join

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
    """The character, with its name for tooltips and screen readers."""
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


_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_DATE = re.compile(r"!date\^(?P<unix>-?\d{1,11})\^(?P<form>[^^]+)(?:\^(?P<link>[^|]+))?")
_TIME = "%H:%M"
_DATE_FORMS = {
    "date_num": "%Y-%m-%d",
    "date": "%B %-d, %Y",
    "date_short": "%b %-d, %Y",
    "date_long": "%A, %B %-d, %Y",
    "date_pretty": "%B %-d, %Y",
    "date_short_pretty": "%b %-d, %Y",
    "date_long_pretty": "%A, %B %-d, %Y",
    "day_divider_pretty": "%A, %B %-d, %Y",
    "time": _TIME,
    "time_secs": "%H:%M:%S",
    "ago": "%b %-d at %H:%M",
}


def entity(body: str, drawing: Drawing) -> Markup:
    """One `<…>` form, given without its brackets."""
    target, _, label = body.partition("|")
    if target.startswith("@"):
        return user_mention(target[1:], drawing)
    if target.startswith("#"):
        return mention(f"#{drawing.channels.get(target[1:], label or target[1:])}")
    if target.startswith("!"):
        return _special(target, label, drawing)
    return link(unescape(target), unescape(label) or None)


def user_mention(user_id: str, drawing: Drawing) -> Markup:
    """`@name`, highlighted for the viewer. The name comes from our own directory, never from the text."""
    return mention(f"@{drawing.users.get(user_id, user_id)}", is_viewer=user_id == drawing.viewer)


def mention(text: str, *, is_viewer: bool = False) -> Markup:
    return el("span", text, class_="mention mention-me" if is_viewer else "mention")


def link(url: str, label: str | None = None) -> Markup:
    """A link that opens in a new tab; other schemes than http(s), mailto and tel are shown as text."""
    if not _SAFE_LINK.match(url):
        return join([f"<{url}|{label}>" if label else f"<{url}>"])
    return el(
        "a",
        label or url.removeprefix("mailto:").removeprefix("tel:"),
        href=url,
        target="_blank",
        rel="noopener noreferrer",
    )


def date(unix: int, form: str, fallback: str, url: str | None = None) -> Markup:
    """A moment in the reader's time zone, which for the sandbox is this machine's."""
    try:
        moment = datetime.fromtimestamp(unix, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return join([fallback])
    shown = re.sub(r"\{(\w+)\}", lambda found: _format(moment, found[1]), form)
    stamp = el("time", shown, datetime=moment.isoformat(), title=moment.strftime("%A, %B %-d, %Y at %H:%M:%S"))
    if url is None or not _SAFE_LINK.match(url):
        return stamp
    return el("a", stamp, href=url, target="_blank", rel="noopener noreferrer")


def unescape(text: str) -> str:
    """Turn Slack's three escapes back into characters; HTML escaping happens when elements are built."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _format(moment: datetime, name: str) -> str:
    form = _DATE_FORMS.get(name)
    return moment.strftime(form) if form else f"{{{name}}}"


def _special(target: str, label: str, drawing: Drawing) -> Markup:
    if target in ("!here", "!channel", "!everyone"):
        return el("span", f"@{target[1:]}", class_="mention mention-all")
    if target.startswith("!subteam^"):
        group_id = target.removeprefix("!subteam^")
        return mention(f"@{drawing.groups.get(group_id, label.removeprefix('@') or group_id)}")
    found = _DATE.fullmatch(target)
    if found:
        return date(int(found["unix"]), found["form"], unescape(label), found["link"])
    return join([unescape(label) or f"<{target}>"])


_FENCE = re.compile(r"```\n?(.*?)```\n?", re.DOTALL)
_QUOTE = re.compile(r"(?:&gt;|>) ?(.*)")
_ENTITY = re.compile(r"<([^<>\n]+)>")
# Formatting marks count only at the edge of a word, not next to blanks and not across lines.
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<entity>[^<>\n]+)>"
    r"|:(?P<emoji>[a-z0-9_+'-]+):"
    r"|(?<![\w*])\*(?P<bold>(?!\s)[^*\n]*?[^*\s])\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>(?!\s)[^_\n]*?[^_\s])_(?![\w_])"
    r"|(?<![\w~])~(?P<strike>(?!\s)[^~\n]*?[^~\s])~(?![\w~])"
    r"|(?P<newline>\n)"
)
_TAGS = {"bold": "strong", "italic": "em", "strike": "s"}


def mrkdwn(text: str, drawing: Drawing) -> Markup:
    """The text as Slack shows it: fences, quotes, marks, links, mentions, dates, emoji."""
    parts: list[Child] = []
    end = 0
    for match in _FENCE.finditer(text):
        parts += [_lines(text[end : match.start()].removesuffix("\n"), drawing), _fence(match[1], drawing)]
        end = match.end()
    return join([*parts, _lines(text[end:], drawing)])


def _fence(text: str, drawing: Drawing) -> Markup:
    return el("pre", _code(text.removesuffix("\n"), drawing), class_="code-block", tabindex="0")


def _lines(text: str, drawing: Drawing) -> Markup:
    """Draw lines; neighboring quoted lines become one quote, other lines become one text."""
    parts: list[Child] = []
    plain: list[str] = []
    quoted: list[str] = []

    def flush() -> None:
        if plain:
            parts.append(_inline("\n".join(plain), drawing))
        if quoted:
            parts.append(el("blockquote", _inline("\n".join(quoted), drawing)))
        plain.clear()
        quoted.clear()

    for line in text.split("\n"):
        quote = _QUOTE.fullmatch(line)
        if (quote and plain) or (not quote and quoted):
            flush()
        (quoted if quote else plain).append(quote[1] if quote else line)
    flush()
    return join(parts)


def _inline(text: str, drawing: Drawing) -> Markup:
    parts: list[Child] = []
    end = 0
    for match in _INLINE.finditer(text):
        parts += [unescape(text[end : match.start()]), _token(match, drawing)]
        end = match.end()
    return join([*parts, unescape(text[end:])])


def _token(match: re.Match[str], drawing: Drawing) -> Markup:
    kind = str(match.lastgroup)
    body = match[kind]
    if kind == "code":
        return el("code", _code(body, drawing))
    if kind == "entity":
        return entity(body, drawing)
    if kind == "emoji":
        return emoji(body) if body in EMOJI else join([match[0]])
    if kind == "newline":
        return el("br")
    return el(_TAGS[kind], _inline(body, drawing))


def _code(text: str, drawing: Drawing) -> Markup:
    """Draw code, in which only links and mentions are special."""
    parts: list[Child] = []
    end = 0
    for match in _ENTITY.finditer(text):
        parts += [unescape(text[end : match.start()]), entity(match[1], drawing)]
        end = match.end()
    return join([*parts, unescape(text[end:])])


TEXT_TYPES = frozenset({"mrkdwn", "plain_text"})


def text_object(text: Json | str | None, drawing: Drawing) -> Markup:
    """Draw a `mrkdwn` or `plain_text` object; a bare string counts as plain text."""
    if not text:
        return Markup("")
    if isinstance(text, str):
        return _with_breaks(with_emoji(text))
    body = str(text.get("text", ""))
    if text.get("type") == "mrkdwn":
        return mrkdwn(body, drawing)
    return _with_breaks(join([body]) if text.get("emoji") is False else with_emoji(body))


def plain(text: Json | str | None) -> str:
    """The words of a text object without markup: for options of a native menu and for labels."""
    if not text:
        return ""
    return text if isinstance(text, str) else str(text.get("text", ""))


def _with_breaks(markup: Markup) -> Markup:
    return markup.replace("\n", el("br"))
