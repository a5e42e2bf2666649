"""Routes for answers on the phone: one-time links, and PagerDuty's webhook.

GET on a link shows one page with one button, so that a mail scanner acknowledges nothing; POST acts. A stranger learns
nothing: an unknown, used or expired link has the same page.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from bot.delivery.decide import ANSWER_PATH
from bot.incidents.answers import PhoneAnswers
from bot.views.answer_page import HEADERS, AnswerPage, answer_page, unavailable_page, unknown_link_page, unsure_page
from bot.web.app import read_body
from bot.web.guesses import Guesses
from bot.web.turnstile import Turnstile
from services.clients.pagers.pagerduty import SIGNATURE, is_signed, read_event
from services.domain.errors import SourceError
from services.domain.secrets import Secret

logger = logging.getLogger(__name__)

MAX_BODY = 256_000  # bytes; an event of PagerDuty has a few thousand
WRONG_A_MINUTE = 30  # guesses at a token or a signature; then they are only counted

_TOKEN = re.compile(r"[0-9a-f]{32}\Z")


def add_answer_links(app: FastAPI, answers: PhoneAnswers) -> None:
    """Add the one-time links: GET shows, POST acknowledges. 503 if a link, perhaps a valid one, can't be looked up."""
    guesses, turnstile = Guesses(WRONG_A_MINUTE, ANSWER_PATH), Turnstile()

    async def respond(token: str, ask: Callable[[str], Awaitable[AnswerPage | None]]) -> HTMLResponse:
        if _TOKEN.match(token) is None:
            page = None
        elif turnstile.is_full:
            return HTMLResponse(unavailable_page(), 503, HEADERS)
        else:
            try:
                page = await turnstile.run(ask(token))
            except SourceError as error:
                logger.warning("a one-time link was not answered: %s", error.why)
                return HTMLResponse(unsure_page() if error.outcome_unknown else unavailable_page(), 503, HEADERS)
        if page is not None:
            return HTMLResponse(answer_page(page), headers=HEADERS)
        return HTMLResponse(unknown_link_page(), 404 if guesses.count(time.monotonic()) else 429, HEADERS)

    @app.get(ANSWER_PATH + "{token}")
    async def show(token: str) -> HTMLResponse:
        return await respond(token, answers.show)

    @app.post(ANSWER_PATH + "{token}")
    async def acknowledge(token: str) -> HTMLResponse:
        return await respond(token, answers.acknowledge)


def add_pagerduty_hook(app: FastAPI, answers: PhoneAnswers, secrets: Sequence[Secret]) -> None:
    """Add PagerDuty's webhook. Parses signed bodies only. 503 without a database: PagerDuty repeats the event."""
    guesses = Guesses(WRONG_A_MINUTE, "/hooks/pagerduty")

    @app.post("/hooks/pagerduty")
    async def hook(request: Request) -> Response:
        body = await read_body(request, limit=MAX_BODY)
        if len(body) > MAX_BODY:
            return Response(status_code=413)
        if not is_signed(body, request.headers.get(SIGNATURE, ""), secrets):
            return Response(status_code=401 if guesses.count(time.monotonic()) else 429)
        event = read_event(body)
        if event is None:
            return Response(status_code=202)
        try:
            await answers.on_event(event)
        except SourceError as error:
            logger.warning("a pager's event was not processed: %s", error.why)
            return Response(status_code=503)
        return Response(status_code=202)
