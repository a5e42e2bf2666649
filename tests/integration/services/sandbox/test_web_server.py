"""A website in the same browser cannot control the demo, by any name for this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.sandbox import build_app
from services.sandbox.slack import model
from services.sandbox.slack.workspace import Workspace
from tests.integration.services.sandbox.page.test_page import Bot, Database

KILL = "/page/break/stop-postgres"
TYPED = {"user": model.OLIVIA.id, "channel": model.INCIDENTS_ID, "text": "hello"}
PATHS = ("/", "/control/slack/sent", "/control/railway", "/page/panel", "/slack/api/auth.test")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """One app for all requests: building its routes takes far longer than any answer."""
    folder = tmp_path_factory.mktemp("railway")
    railway = LocalRailway([], directory=folder, working_directory=folder, token="t")
    return build_app(Workspace(), railway, Phones(), Database(), Bot(), [])


@pytest.fixture
async def sandbox(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8800") as client:
        yield client


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8800", "127.0.0.1.evil.example", "192.0.2.1"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_foreign_name_for_this_machine_is_refused(sandbox: httpx.AsyncClient, host: str, path: str) -> None:
    assert (await sandbox.get(path, headers={"Host": host})).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8800", "localhost:8800", "localhost"])
async def test_web_server_serves_its_own_host_names(sandbox: httpx.AsyncClient, host: str) -> None:
    assert (await sandbox.get("/", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("path", ["/control/slack/type", KILL])
@pytest.mark.parametrize(("site", "is_taken"), [("cross-site", False), ("same-site", False), ("same-origin", True)])
async def test_a_browser_that_reports_who_asks_is_believed(
    sandbox: httpx.AsyncClient, path: str, site: str, is_taken: bool
) -> None:
    answer = await sandbox.post(path, json=TYPED, headers={"Sec-Fetch-Site": site})

    assert (answer.status_code != 403) is is_taken


async def test_another_sites_origin_is_refused_where_the_browser_reports_nothing_else(
    sandbox: httpx.AsyncClient,
) -> None:
    own = "http://127.0.0.1:8800"
    for path in ("/control/slack/type", KILL):
        for origin in ("http://evil.example", "null", f"{own}.evil.example", "http://127.0.0.1:8801"):
            assert (await sandbox.post(path, json=TYPED, headers={"Origin": origin})).status_code == 403, origin
        assert (await sandbox.post(path, json=TYPED, headers={"Origin": own})).status_code != 403
