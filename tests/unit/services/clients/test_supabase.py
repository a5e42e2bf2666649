"""Supabase's metrics: the few series that are shown; missing ones are unknown."""

from __future__ import annotations

import httpx
import pytest

from bot.config.environment import Settings
from bot.config.fields import Invalid
from services.clients.supabase import MAX_BYTES, PATH, SupabaseClient, parse_usage
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.usage import Usage

LABELS = 'supabase_project_ref="abc",service_type="db"'
TEXT = f"""# HELP node_memory_MemTotal_bytes Memory information field MemTotal_bytes.
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes{{{LABELS}}} 4e+09
node_memory_MemAvailable_bytes{{{LABELS}}} 1e+09
node_load1{{{LABELS}}} 0.75
node_filesystem_size_bytes{{{LABELS},device="/dev/root",mountpoint="/"}} 1e+10
node_filesystem_size_bytes{{{LABELS},device="/dev/nvme1n1",mountpoint="/data"}} 8e+09
node_filesystem_avail_bytes{{{LABELS},device="/dev/root",mountpoint="/"}} 1e+09
node_filesystem_avail_bytes{{{LABELS},device="/dev/nvme1n1",mountpoint="/data"}} 5e+09
something{{{LABELS},{LABELS}}} what
"""


def client(answer: httpx.Response | Exception) -> SupabaseClient:
    def respond(request: httpx.Request) -> httpx.Response:
        assert request.url.path == PATH
        assert request.headers["authorization"] == httpx.BasicAuth("service_role", "k")._auth_header
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SupabaseClient("https://abc.supabase.co", Secret("k"), transport=httpx.MockTransport(respond))


async def test_memory_load_and_the_databases_disk_are_read() -> None:
    found = await client(httpx.Response(200, text=TEXT)).read_usage()

    assert found == Usage(memory_gb=3.0, memory_limit_gb=4.0, cpu=0.75, disk_gb=3.0)


def test_supabase_usage_is_unknown_for_missing_metrics() -> None:
    assert parse_usage("") == Usage()
    assert parse_usage("node_memory_MemTotal_bytes 4e9\n") == Usage(memory_limit_gb=4.0)
    assert parse_usage('node_filesystem_size_bytes{mountpoint="/"} 4\n') == Usage()
    for value in ("NaN", "+Inf", "-Inf"):
        assert parse_usage(f"node_load1 {value}\nnode_memory_MemTotal_bytes {value}\n") == Usage()
    with pytest.raises(SourceError):
        parse_usage("node_load1{ 0.5\n")


async def test_each_failure_says_what_it_is() -> None:
    table: list[tuple[httpx.Response | Exception, str]] = [
        (httpx.Response(401), "SUPABASE_METRICS_KEY is refused"),
        (httpx.Response(302, headers={"location": "https://elsewhere.test"}), "refused \\(302\\)"),
        (httpx.ConnectError("x"), "not reachable"),
        (httpx.Response(200, content=b"x" * (MAX_BYTES + 1)), "too long"),
    ]
    for answer, words in table:
        with pytest.raises(SourceError, match=words):
            await client(answer).read_usage()


def test_the_key_is_sent_to_an_https_address_only() -> None:
    key = {"SUPABASE_METRICS_KEY": "k"}
    table = {
        "https://abc.supabase.co": False,
        "http://127.0.0.1:9": False,
        "http://abc.supabase.co": True,
        "": True,
    }

    for url, refused in table.items():
        settings = Settings.from_environment({**key, "SUPABASE_URL": url})
        assert isinstance(settings.supabase, Invalid) is refused, url
    assert not isinstance(Settings.from_environment({"SUPABASE_URL": "nonsense"}).supabase, Invalid)
