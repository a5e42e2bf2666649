"""The settings of the API, from its environment."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt, SecretStr

from services.domain.secrets import Secret
from services.process import ProcessSettings

MEBIBYTE = 1024 * 1024


class ApiSettings(ProcessSettings):
    """The API's settings. Without `DRAGONFLY_API_KEY` the API runs, but the intake answers that it is closed."""

    listen_address: str | None = None  # all of IPv4 and IPv6
    port: PositiveInt = 8080  # Railway injects PORT
    dragonfly_api_key: SecretStr | None = None  # may hold two, separated by a comma, while the key is rotated
    metrics_enabled: bool = True
    metrics_need_key: bool = True  # request counts are private; Prometheus can send the key as a header
    openapi_needs_key: bool = True  # with false, /docs and /redoc are served too
    max_upload_bytes: PositiveInt = 200 * MEBIBYTE  # about two million rows
    requests_per_minute_per_address: PositiveInt = 600  # also the limit of a burst; with and without a key
    requests_per_minute_per_key: PositiveInt = 1200  # a key may be used from several addresses
    health_timeout_s: PositiveFloat = 2.0
    pool_size: PositiveInt = 5

    @property
    def api_keys(self) -> tuple[Secret, ...]:
        """The accepted keys; empty if none is set."""
        keys = self.dragonfly_api_key.get_secret_value() if self.dragonfly_api_key else ""
        return tuple(Secret(key.strip()) for key in keys.split(",") if key.strip())
