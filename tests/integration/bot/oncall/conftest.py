"""On-call over a real database and the local Slack: the scene of the tests of incidents."""

from __future__ import annotations

from tests.integration.bot.incidents.conftest import books, names, scene, slack
from tests.integration.bot.incidents.conftest import no_proxy as no_proxy
from tests.integration.bot.incidents.conftest import workspace as workspace

__all__ = ["books", "names", "no_proxy", "scene", "slack", "workspace"]
