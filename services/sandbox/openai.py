"""A local stand-in for OpenAI: whatever is asked, it answers with the same memo, which says where it comes from."""

from __future__ import annotations

import json
import time
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, HTTPException

PATH = "/openai/v1"
KEY = "sk-sandbox"

# As a model writes it within the schema of `services.enforcement_worker.memo`.
_MEMO = {
    "summary": "Written by the sandbox, not by a model: serve an information subpoena, then restrain what it finds.",
    "actions": ["information_subpoena", "restraining_notice"],
    "find_out_first": ["Where wages are paid."],
    "risks": ["Funds may be exempt under CPLR 5205(l)."],
}
_TOKENS_IN, _TOKENS_OUT = 400, 100


def build_router() -> APIRouter:
    """`POST /openai/v1/responses`, in the shape of OpenAI's API reference; 401 for another key than `KEY`."""
    router = APIRouter(prefix=PATH)

    @router.post("/responses")
    async def respond(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> dict[str, Any]:
        if authorization != f"Bearer {KEY}":
            raise HTTPException(401, "Incorrect API key provided")
        return response(json.dumps(_MEMO), model=str(body.get("model", "sandbox")))

    return router


def response(text: str, *, model: str) -> dict[str, Any]:
    """A whole response with this text."""
    content = {"type": "output_text", "text": text, "annotations": []}
    message = {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [content],
    }
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": model,
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": {
            "input_tokens": _TOKENS_IN,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": _TOKENS_OUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": _TOKENS_IN + _TOKENS_OUT,
        },
    }
