"""The enforcement worker's environment."""

from __future__ import annotations

from pydantic import SecretStr

from services.job_queue.settings import WorkerSettings


class EnforcementSettings(WorkerSettings):
    """Without `OPENAI_API_KEY` the worker decides by its fixed rules, as it does for now in any case."""

    openai_api_key: SecretStr | None = None
