"""Renders the templates, and sends them with the headers that make hostile text harmless."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.sandbox.page.drawing.emoji import emoji
from services.sandbox.page.drawing.text import plain

FOLDER = Path(__file__).parent

HEADERS = {
    # Scripts and styles come from our own files only: whatever a message holds, the browser runs none of it.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """The templates with what each of them may use. `values` are the same on every page."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(values, emoji=emoji, text=plain)
        self._environment.filters["pretty"] = pretty

    def respond(self, name: str, **values: object) -> HTMLResponse:
        return HTMLResponse(self._environment.get_template(name).render(values), headers=HEADERS)


def pretty(payload: object) -> str:
    """A payload as indented JSON."""
    return json.dumps(payload, indent=2, ensure_ascii=False, default=str)
