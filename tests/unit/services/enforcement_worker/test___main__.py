from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from services.domain.model_prices import Prices
from services.enforcement_worker.__main__ import EnforcementSettings


def settings(**given: str) -> EnforcementSettings:
    return EnforcementSettings.model_validate(
        {"environment": "dev", "supabase_db_url": "postgresql://u:p@h:5432/d", **given}
    )


@pytest.mark.parametrize("url", ["https://api.example/v1", "http://127.0.0.1:8080/v1", "http://localhost:8080"])
def test_takes_addresses_to_which_the_key_can_travel(url: str) -> None:
    assert settings(openai_base_url=url).openai_base_url == url


@pytest.mark.parametrize(
    "url", ["http://api.example/v1", "ftp://api.example", "api.example", "https://", "http://127.0.0.1.evil"]
)
def test_refuses_to_send_the_key_in_the_clear(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        settings(openai_base_url=url)


def test_knows_the_prices_of_its_own_model_only() -> None:
    assert settings().prices == Prices(Decimal("0.10"), Decimal("0.50"))
    assert settings(openai_model="another").prices is None
    assert settings(openai_model="another", openai_input_usd_per_mtok="1").prices is None


def test_takes_the_prices_of_another_model() -> None:
    prices = settings(openai_model="another", openai_input_usd_per_mtok="0", openai_output_usd_per_mtok="2.5").prices

    assert prices == Prices(Decimal(0), Decimal("2.5"))
