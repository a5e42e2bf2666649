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
    """`POST /openai/v1/chat/completions`, in the shape of OpenAI's API reference; 401 for another key than `KEY`."""
    router = APIRouter(prefix=PATH)

    @router.post("/chat/completions")
    async def complete(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> dict[str, Any]:
        if authorization != f"Bearer {KEY}":
            raise HTTPException(401, "Incorrect API key provided")
        message = {"role": "assistant", "content": json.dumps(_MEMO), "refusal": None}
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body.get("model", "sandbox"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {
                "prompt_tokens": _TOKENS_IN,
                "completion_tokens": _TOKENS_OUT,
                "total_tokens": _TOKENS_IN + _TOKENS_OUT,
            },
        }

    return router
