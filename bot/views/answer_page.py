"""The web page of a one-time link: the incident and one button, as plain HTML without scripts. Pure."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape

from services.domain.secrets import without_own_secrets

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1.15rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 30rem; padding: 2rem 1.25rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; }
button { width: 100%; min-height: 4rem; border: 0; border-radius: .75rem; font: inherit; font-weight: 700; }
button { background: #007a5a; color: #fff; }
a { display: block; margin-top: 1.25rem; }
small { display: block; margin-top: 1.5rem; opacity: .75; }
"""
_BUTTON = '<form method="post"><button>Acknowledge</button></form>'
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class AnswerPage:
    """Content of the page. `title`, `state`: of the incident, plain text. `is_asked`: show the button. `thread`: its
    address in Slack, None if unknown."""

    incident_id: int
    title: str
    state: str
    is_asked: bool
    thread: str | None = None


def answer_page(page: AnswerPage) -> str:
    """The page as HTML, with the bot's own secrets masked."""
    button = _BUTTON if page.is_asked else ""
    thread = f'<a href="{escape(page.thread)}" rel="noreferrer">Open the thread in Slack</a>' if page.thread else ""
    lines = f"<h1>{_shown(page.title)}</h1><p>{_shown(page.state)}</p>{button}{thread}"
    return _document(f"Incident {page.incident_id}", f"{lines}<small>Incident {page.incident_id}</small>")


def unknown_link_page() -> str:
    """One page for invalid, used and expired links, so that it reveals nothing."""
    return _document("Link not valid", "<h1>This link isn't valid.</h1><p>Acknowledge in Slack.</p>")


def unavailable_page() -> str:
    """The page while the database is away, or if there are too many requests."""
    words = "Nothing changed just now. Try again, or acknowledge in Slack."
    return _document("Not available", f"<h1>The bot can't look this link up now</h1><p>{words}</p>")


def unsure_page() -> str:
    """The page if the answer to an acknowledgement's COMMIT was lost and the database can't be read since."""
    words = "The database didn't answer. Press again: if you're assigned already, nothing happens twice."
    lines = f"<h1>It is not known whether you acknowledged it</h1><p>{words}</p>{_BUTTON}"
    return _document("Not known", lines)


def _shown(text: str) -> str:
    return escape(without_own_secrets(text))


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )
