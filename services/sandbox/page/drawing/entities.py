"""What Slack writes between `<` and `>`: mentions, links, dates, broadcasts."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup

from services.sandbox.page.drawing.context import Drawing
from services.sandbox.page.drawing.html import el, join

_SAFE_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
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
    """`@name`, stronger when it is the one who looks. A name comes from our own directory, never from the text."""
    return mention(f"@{drawing.users.get(user_id, user_id)}", is_viewer=user_id == drawing.viewer)


def mention(text: str, *, is_viewer: bool = False) -> Markup:
    return el("span", text, class_="mention mention-me" if is_viewer else "mention")


def link(url: str, label: str | None = None) -> Markup:
    """A link that opens elsewhere; anything but http(s) and mailto is shown as text."""
    if not _SAFE_LINK.match(url):
        return join([f"<{url}|{label}>" if label else f"<{url}>"])
    return el("a", label or url.removeprefix("mailto:"), href=url, target="_blank", rel="noopener noreferrer")


def date(unix: int, form: str, fallback: str, url: str | None = None) -> Markup:
    """A moment in the reader's own time zone, which for the sandbox is this machine's."""
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
    """Turn Slack's three escapes back into characters; HTML escaping happens where elements are built."""
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
