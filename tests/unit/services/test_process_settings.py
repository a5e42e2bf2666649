from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.api.settings import ApiSettings
from services.process import ProcessSettings, describe_faults, read_or_exit

DSN = "postgresql://u:hidden@db.test:5432/postgres"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENVIRONMENT", "SUPABASE_DB_URL", "RAILWAY_GIT_COMMIT_SHA", "DRAGONFLY_API_KEY", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_needs_only_the_database_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "prod")
    monkeypatch.setenv("SUPABASE_DB_URL", DSN)
    monkeypatch.setenv("PORT", "")

    settings = read_or_exit(ApiSettings)

    assert (settings.environment, settings.dsn.reveal(), settings.git_sha) == ("prod", DSN, "unknown")
    assert (settings.port, settings.api_keys) == (8080, ())


def test_shows_no_secret() -> None:
    settings = ApiSettings(environment="dev", supabase_db_url=DSN, dragonfly_api_key="df_canary")

    assert "hidden" not in repr(settings)
    assert "canary" not in repr(settings) + repr(settings.api_keys)


def test_reports_every_fault_at_once_and_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        ProcessSettings(environment="canary", supabase_db_url="canary://x")

    text = describe_faults(caught.value)
    assert "ENVIRONMENT: is not dev, qa, staging or prod" in text
    assert "SUPABASE_DB_URL: must look like postgresql://" in text
    assert "canary" not in text


def test_splits_keys_of_a_rotation() -> None:
    settings = ApiSettings(environment="dev", supabase_db_url=DSN, dragonfly_api_key=" new, ,old,")

    assert [key.reveal() for key in settings.api_keys] == ["new", "old"]


def test_cannot_be_changed() -> None:
    settings = ProcessSettings(environment="dev", supabase_db_url=DSN)

    with pytest.raises(ValidationError):
        settings.environment = "prod"  # type: ignore[misc]


def test_an_id_that_is_no_utf_8_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "dev")
    monkeypatch.setenv("SUPABASE_DB_URL", "postgresql://u@h/d")
    monkeypatch.setenv("RAILWAY_REPLICA_ID", "half \udcff")

    assert ProcessSettings().railway_replica_id == "half \ufffd"
