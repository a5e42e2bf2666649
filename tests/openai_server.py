"""A local server for OpenAI's Responses API, whose answers a test chooses."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

GOOD_MEMO: dict[str, Any] = {
    "summary": "Serve an information subpoena under CPLR 5224(a)(3), then restrain what it finds.",
    "actions": ["information_subpoena", "restraining_notice"],
    "find_out_first": ["Where wages are paid."],
    "risks": ["Funds may be exempt under CPLR 5205(l)."],
}
USAGE = {"input_tokens": 400, "output_tokens": 100, "total_tokens": 500}


def response(content: object, *, refusal: str | None = None, **changed: object) -> dict[str, Any]:
    """Make a response as OpenAI sends it, with `changed` fields added or replaced."""
    part = {"type": "output_text", "text": content, "annotations": []}
    if refusal is not None:
        part = {"type": "refusal", "refusal": refusal}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    whole: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1764547200,
        "status": "completed",
        "model": "local",
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": USAGE,
    }
    return {**whole, **changed}


@dataclass(frozen=True)
class Posted:
    """One answer. `body` is sent as JSON; a string or bytes are sent unchanged. `after_s`: the delay of the answer."""

    body: object = None
    status: int = 200
    after_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


Speak = Callable[[dict[str, Any]], Posted]


@dataclass
class OpenAIServer:
    """The server. `requests`: the bodies as text, `headers`: theirs; `most_at_once`: the peak of parallel requests."""

    speak: Speak = lambda _: Posted(response(json.dumps(GOOD_MEMO)))
    base_url: str = ""
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[OpenAIServer]:
        app = web.Application()
        app.router.add_post("/v1/responses", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def was_asked(self) -> bool:
        return bool(self.requests)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.requests.append(text)
        self.headers.append(dict(request.headers))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            posted = self.speak(json.loads(text))
            await asyncio.sleep(posted.after_s)
        finally:
            self._now -= 1
        raw = posted.body if isinstance(posted.body, str | bytes) else json.dumps(posted.body)
        body = raw.encode() if isinstance(raw, str) else raw
        return web.Response(status=posted.status, body=body, content_type="application/json", headers=posted.headers)
