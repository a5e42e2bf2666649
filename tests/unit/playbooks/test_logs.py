"""The deployment whose log is read: the active one, unless the failed one is requested."""

from datetime import UTC, datetime, timedelta

from playbooks.logs import choose
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.services import Service

NOW = datetime(2025, 12, 20, 10, 0, tzinfo=UTC)


def deployment(name: str, status: DeploymentStatus = DeploymentStatus.SUCCESS, *, minutes_ago: int = 0) -> Deployment:
    return Deployment(name, status, NOW - timedelta(minutes=minutes_ago))


SERVING = deployment("serving", minutes_ago=9)
BROKEN = deployment("broken", DeploymentStatus.FAILED)
STATE = ServiceState(Service.API, "s", active=(SERVING,), latest=BROKEN)


def chosen(state: ServiceState | None, *deployments: Deployment, failed: bool = False) -> str | None:
    choice = choose(state, deployments, failed=failed)
    return choice.deployment.id if choice else None


def test_takes_what_serves_and_not_the_newest() -> None:
    assert chosen(STATE, BROKEN, SERVING) == "serving"


def test_takes_the_newest_failed_one_when_asked() -> None:
    crashed = deployment("crashed", DeploymentStatus.CRASHED, minutes_ago=5)

    assert chosen(STATE, BROKEN, crashed, SERVING, failed=True) == "broken"


def test_takes_the_newest_when_nothing_serves() -> None:
    assert chosen(ServiceState(Service.API, "s"), BROKEN, SERVING) == "broken"
    assert chosen(None, BROKEN) == "broken"


def test_chosen_deployment_is_none_without_a_match() -> None:
    assert chosen(None) is None
    assert chosen(STATE, SERVING, failed=True) is None
