"""The formats of variables, and the facts that their values show."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.checks.variables import (
    MIN_KEY_LENGTH,
    Shape,
    read_dsn,
    read_environment,
    read_https_url,
    read_openai_key,
    read_port,
    read_service_role_key,
    read_url,
)

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def jwt(signature: str = "s" * 43, **claims: object) -> str:
    body = {"iss": "supabase", "ref": "abcdefghij", "role": "service_role", "exp": NOW.timestamp() + 1, **claims}
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(body)}.{signature}"


@pytest.mark.parametrize("value", ["dev", "qa", "staging", "prod"])
def test_takes_the_runbooks_environments(value: str) -> None:
    assert read_environment(value) == Shape()


@pytest.mark.parametrize("value", ["production", "PROD", "demo"])
def test_refuses_other_environments(value: str) -> None:
    assert read_environment(value).fault


def test_a_service_role_key_reports_its_project() -> None:
    assert read_service_role_key(jwt(), NOW) == Shape(project="abcdefghij")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sb_secret_" + "x" * 120, "is not a JWT"),
        ("a.b.c", "is not a JWT"),
        (f"{part([1])}.{part({'role': 'service_role'})}.{'s' * 80}", "is not a JWT"),
        (f"{part({'typ': 'JWT'})}.{part({'role': 'service_role'})}.{'s' * 80}", "is not a JWT"),
        (jwt(role="anon"), "is not for the role service_role"),
        (jwt(exp=NOW.timestamp()), "has expired"),
    ],
)
def test_refuses_other_keys(value: str, words: str) -> None:
    assert read_service_role_key(value, NOW).fault == words


def test_a_key_has_at_least_a_hundred_characters() -> None:
    unsigned = f"{part({'alg': 'x'})}.{part({'role': 'service_role'})}."
    filled = unsigned + "s" * (MIN_KEY_LENGTH - len(unsigned))

    assert read_service_role_key(filled, NOW).fault is None
    assert read_service_role_key(filled[:-1], NOW).fault == "is shorter than 100 characters"


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("https://abcdefghij.supabase.co", Shape(project="abcdefghij")),
        ("https://abcdefghij.supabase.co/", Shape(project="abcdefghij")),
        ("https://db.example.com", Shape(meaning="a custom domain")),
        ("http://127.0.0.1:54321", Shape(meaning="local")),
    ],
)
def test_takes_project_addresses(value: str, shape: Shape) -> None:
    assert read_url(value) == shape


@pytest.mark.parametrize(
    "value",
    ["abcdefghij.supabase.co", "http://abcdefghij.supabase.co", "https://abcdefghij.supabase.co/rest", "https://[::1"],
)
def test_refuses_other_addresses(value: str) -> None:
    assert read_url(value).fault


@pytest.mark.parametrize(
    ("value", "project", "words"),
    [
        ("postgresql://dragonfly_app.abc:p@aws-0-eu.pooler.supabase.com:5432/postgres", "abc", "session pooler"),
        ("postgresql://dragonfly_app.abc:p@aws-0-eu.pooler.supabase.com/postgres", "abc", "session pooler"),
        ("postgresql://dragonfly_app.abc:p@aws-0-eu.pooler.supabase.com:6543/postgres", "abc", "transaction pooler"),
        ("postgresql://postgres:p@db.abc.supabase.co:5432/postgres", "abc", "direct connection"),
        ("postgres://app:p@127.0.0.1:5433/dragonfly", None, "local"),
        ("postgresql://app:p@db.example.com/dragonfly", None, "not a Supabase host"),
    ],
)
def test_takes_database_addresses_and_reports_what_the_port_means(value: str, project: str | None, words: str) -> None:
    shape = read_dsn(value)

    assert (shape.fault, shape.project) == (None, project)
    assert shape.meaning is not None
    assert words in shape.meaning


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("mysql://app:p@db.example.com/x", "postgresql://"),
        ("postgresql:///dragonfly", "with a host"),
        ("postgresql://db.example.com/x", "lacks the user"),
        ("postgresql://app@db.example.com/x", "lacks the user or the password"),
        ("postgresql://postgres:p@aws-0-eu.pooler.supabase.com:5432/postgres", "role.project"),
        ("postgresql://app.abc:p@aws-0-eu.pooler.supabase.com:5433/postgres", "port 5433"),
        ("postgresql://app:p@db.example.com:port/x", "postgresql://"),
        ("postgresql://app:p@ss@db.example.com/x", "percent-encode the password"),
        ("postgresql://app:p/ss@db.example.com/x", "percent-encode the password"),
        ("postgresql://app:p@db.example.com/x?pgbouncer=true", "`pgbouncer`"),
    ],
)
def test_refuses_other_database_addresses(value: str, words: str) -> None:
    fault = read_dsn(value).fault

    assert fault is not None
    assert words in fault


@pytest.mark.parametrize(
    ("value", "fits"), [("1", True), ("65535", True), ("65536", False), ("0", False), ("٣", False)]
)
def test_a_port_is_a_number_that_tcp_has(value: str, fits: bool) -> None:
    assert (read_port(value).fault is None) is fits


@pytest.mark.parametrize("url", ["https://api.example/v1", "http://127.0.0.1:8080/v1", "http://localhost/v1"])
def test_a_key_may_travel_encrypted_or_on_this_machine(url: str) -> None:
    assert read_https_url(url).fault is None


@pytest.mark.parametrize(
    "url", ["http://api.example/v1", "ftp://api.example", "api.example", "https://", "https://h:x/"]
)
def test_a_key_may_not_travel_in_the_clear(url: str) -> None:
    assert read_https_url(url).fault


def test_openais_keys_have_a_prefix() -> None:
    assert read_openai_key("sk-proj-x").fault is None
    assert read_openai_key("proj-x").fault


@given(st.text(max_size=200))
def test_no_text_breaks_a_reader(value: str) -> None:
    for read in (read_environment, read_port, read_openai_key, read_url, read_dsn):
        assert isinstance(read(value), Shape)
    assert isinstance(read_service_role_key(value, NOW), Shape)
    assert isinstance(read_service_role_key(f"{part({'alg': 'x'})}.{value}.{value}", NOW), Shape)
