"""Links to Supabase's dashboard."""

from __future__ import annotations

import pytest

from services.domain.services import log_links, project_ref


@pytest.mark.parametrize(
    "url", ["https://abcdefghijklmnopqrst.supabase.co", "https://abcdefghijklmnopqrst.supabase.co/"]
)
def test_the_reference_is_in_the_address(url: str) -> None:
    assert project_ref(url) == "abcdefghijklmnopqrst"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://127.0.0.1",
        "https://evil.example/x.supabase.co",
        "https://a|b.supabase.co",
        "https://x.supabase.co/y",
    ],
)
def test_any_other_address_gives_no_link(url: str | None) -> None:
    assert project_ref(url) is None


def test_the_links_are_of_the_two_logs_of_the_runbook() -> None:
    assert [address.rsplit("/", 1)[1] for address in log_links("abc").values()] == ["postgres-logs", "auth-logs"]
