"""The API's app in this process, on a real database, called through ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from services.api.app import build_app
from services.api.settings import ApiSettings

OpenApi = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def open_api() -> OpenApi:
    """`open_api(dsn, **settings)`: a client of an app that has started; keywords are fields of `ApiSettings`."""

    @asynccontextmanager
    async def opened(dsn: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        usual = {"environment": "dev", "dragonfly_api_key": "df_new,df_old", "railway_git_commit_sha": "a1b2c3d4e5"}
        app = build_app(ApiSettings(supabase_db_url=dsn, **(usual | settings)))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
                yield client

    return opened
