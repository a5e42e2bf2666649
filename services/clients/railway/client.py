"""The bot's reads of Railway. All methods raise SourceError("Railway", …); none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx

from services.clients.railway.documents import DOCUMENTS
from services.clients.railway.parsing import (
    is_of_a_creator,
    is_of_one_service,
    keep_whole_services,
    newest_first,
    parse_deployment,
    parse_logs,
    parse_metrics,
    parse_service,
    parse_variable_changes,
    service_link,
)
from services.clients.railway.quota import RateLimit
from services.clients.railway.transport import SERVES_S, SOURCE, GraphQLError, TokenKind, Transport
from services.domain.deployments import Deployment, LogLine, ServiceState, VariableChange, find_state
from services.domain.errors import SourceError, Unavailable
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.usage import ServiceUsage

MAX_LOG_LINES = 5000  # the schema's own limit
MEMORY_OVER = timedelta(hours=1)
NEWEST_WITHIN = timedelta(minutes=5)
_PATCHES = 100  # commits to the environment that are searched for changed variables
_PAGE = 25  # the least number of deployments requested: Railway promises no order, so the newest are picked from more

_T = TypeVar("_T")


class RailwayClient:
    """Reads one environment of one project. Safe for concurrent use on one event loop; close it with `aclose`.

    `serves_s`: for how many seconds an answer is shared with other people who ask the same.
    """

    def __init__(
        self,
        *,
        url: str,
        token: Secret,
        token_kind: TokenKind,
        project_id: str,
        environment_id: str,
        names: Mapping[str, str] | None = None,
        timeout_s: float = 8.0,
        transport: httpx.AsyncBaseTransport | None = None,
        serves_s: float = SERVES_S,
    ) -> None:
        self._project_id = project_id
        self._environment_id = environment_id
        self._names = names or {}
        self._service_ids: dict[str, str] = {}
        self._may_read_config = True
        self._transport = Transport(
            url=url,
            token=token,
            token_kind=token_kind,
            timeout_s=timeout_s,
            transport=transport,
            serves_s=serves_s,
        )

    @property
    def transport(self) -> Transport:
        """Shared with `services.clients.railway.mutations`: the connections and the state of the rate limit."""
        return self._transport

    @property
    def project_id(self) -> str:
        return self._project_id

    @property
    def environment_id(self) -> str:
        return self._environment_id

    @property
    def rate_limit(self) -> RateLimit | None:
        """The rate limit as Railway last reported it; None before the first answer."""
        return self._transport.rate_limit

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def read_services(self, expected: Sequence[Service] = ()) -> dict[Service, ServiceState]:
        """Return all services of the environment, in one request, whether or not we operate them.

        A service that the environment does not have is absent. If Railway did not report one of `expected`, its state
        gives the reason.
        """
        try:
            data = await self._call_read_services()
        except GraphQLError as exc:
            if exc.field != "config" or not self._may_read_config:
                return self._parse_partial_answer(exc, expected)
            # Perhaps not every project token may read `config`; the last deployment shows the replicas then.
            self._may_read_config = False
            return await self.read_services(expected)
        return _parse(lambda: self._parse_services(data["environment"]))

    async def read_service(self, service: Service) -> ServiceState:
        """Return one service. Raises SourceError if the environment does not have it, or Railway does not report it."""
        state = find_state(await self.read_services([service]), service)
        if isinstance(state, Unavailable):
            raise SourceError(SOURCE, state.why, retryable=True)
        if state is None:
            raise _no_such_service(service)
        return state

    async def list_deployments(self, service: Service, *, limit: int = 10) -> list[Deployment]:
        """List the newest `limit` deployments, newest first, whatever their status."""
        address = await self._address(service)
        variables = {"input": address, "first": max(limit, _PAGE)}
        try:
            data = await self._transport.call(DOCUMENTS["list_deployments"], variables)
        except GraphQLError as error:
            if error.data is None or not all(map(is_of_a_creator, error.paths)):
                raise
            data = error.data
        page = self._service_page(address["serviceId"])
        edges = _parse(lambda: [parse_deployment(edge["node"], page=page) for edge in data["deployments"]["edges"]])
        return newest_first(edges)[:limit]

    async def read_logs(self, deployment_id: str, *, limit: int = 100, filter: str = "") -> list[LogLine]:  # noqa: A002
        """Return the last `limit` lines (at most 5000), oldest first. `filter` has Railway's syntax."""
        return await self._read_lines("read_logs", "deploymentLogs", deployment_id, limit, filter)

    async def read_build_logs(self, deployment_id: str, *, limit: int = 100) -> list[LogLine]:
        """Return the last `limit` lines of the build, oldest first."""
        return await self._read_lines("read_build_logs", "buildLogs", deployment_id, limit, "")

    async def read_variables(self, service: Service) -> dict[str, Secret]:
        """Return the variables that the service's next deployment gets, with references resolved."""
        data = await self._transport.call(DOCUMENTS["read_variables"], await self._address(service))
        values: Mapping[str, object] = data.get("variablesForServiceDeployment") or {}
        return _parse(lambda: {name: Secret(str(value)) for name, value in values.items()})

    async def list_variable_changes(self, service: Service) -> list[VariableChange]:
        """List recent changes of variables, newest first, as far as the environment's history goes; names only."""
        service_id = await self.find_service_id(service)
        variables = {"environmentId": self._environment_id, "first": _PATCHES}
        data = await self._transport.call(DOCUMENTS["list_variable_changes"], variables)
        nodes = _parse(lambda: [edge["node"] for edge in data["environmentPatches"]["edges"]])
        return _parse(lambda: parse_variable_changes(nodes, service_id))

    async def read_auto_deploy(self, service: Service) -> bool:
        """True if a push to the service's branch deploys it."""
        data = await self._transport.call(DOCUMENTS["read_auto_deploy"], await self._address(service))
        return _parse(lambda: bool(data["serviceInstanceAutoDeployStatus"]["enabled"]))

    async def read_metrics(self, now: datetime) -> dict[Service, ServiceUsage]:
        """Return each service's usage by instance, in one request: memory of the last hour, the rest as of now.

        A service for which Railway has no metrics is absent.
        """
        variables = {
            "projectId": self._project_id,
            "environmentId": self._environment_id,
            "memorySince": (now - MEMORY_OVER).isoformat(),
            "since": (now - NEWEST_WITHIN).isoformat(),
        }
        data = await self._transport.call(DOCUMENTS["read_metrics"], variables)
        edges = _parse(lambda: data["environment"]["serviceInstances"]["edges"])
        names = _parse(
            lambda: {edge["node"]["serviceId"]: self._service(edge["node"]["serviceName"]) for edge in edges}
        )
        return _parse(lambda: parse_metrics([*data["memory"], *data["now"]], names))

    async def read_environment_name(self) -> str:
        """Return the environment's name in Railway ("production")."""
        data = await self._transport.call(DOCUMENTS["read_environment_name"], {"environmentId": self._environment_id})
        return _parse(lambda: str(data["environment"]["name"]))

    async def read_token_reach(self) -> tuple[str, str]:
        """Return (project id, environment id) of a project token. Raises SourceError for any other kind of token."""
        data = await self._transport.call(DOCUMENTS["read_token_reach"], {})
        return _parse(lambda: (str(data["projectToken"]["projectId"]), str(data["projectToken"]["environmentId"])))

    async def _call_read_services(self) -> Mapping[str, Any]:
        variables = {"environmentId": self._environment_id, "withConfig": self._may_read_config}
        return await self._transport.call(DOCUMENTS["read_services"], variables)

    def _parse_partial_answer(self, error: GraphQLError, expected: Sequence[Service]) -> dict[Service, ServiceState]:
        """Return the services that Railway reported beside its error; the others are unknown, with the reason.

        Raises the error if it is about more than single services.
        """
        if error.data is None or not all(is_of_one_service(path) for path in error.paths):
            raise error
        environment = keep_whole_services(error.data, error.paths)
        if environment is None:
            raise error
        known = _parse(lambda: self._parse_services(environment))
        return {
            service: known.get(service) or ServiceState(service, self._service_ids.get(service, ""), unknown=error.why)
            for service in (*expected, *(one for one in known if one not in expected))
        }

    def _parse_services(self, environment: Mapping[str, Any]) -> dict[Service, ServiceState]:
        nodes = {
            self._service(edge["node"]["serviceName"]): edge["node"]
            for edge in environment["serviceInstances"]["edges"]
        }
        self._service_ids |= {service: node["serviceId"] for service, node in nodes.items()}
        config = environment.get("config")
        return {service: self._parse_one(service, node, config) for service, node in nodes.items()}

    def _service(self, railways_name: str) -> Service:
        return Service(self._names.get(railways_name, railways_name))

    def _parse_one(self, service: Service, node: Mapping[str, Any], config: object) -> ServiceState:
        """Parse one service; if its data are invalid, its state is unknown, and the other services are unaffected."""
        try:
            page = self._service_page(node["serviceId"])
            return _parse(lambda: parse_service(service, node, config, page=page))
        except SourceError as error:
            return ServiceState(service, node["serviceId"], unknown=error.why)

    async def find_service_id(self, service: Service) -> str:
        """Return Railway's id of the service; cached, because ids do not change and lookups use the rate limit."""
        if service not in self._service_ids:
            data = await self._transport.call(DOCUMENTS["list_service_ids"], {"environmentId": self._environment_id})
            edges = _parse(lambda: data["environment"]["serviceInstances"]["edges"])
            self._service_ids = _parse(
                lambda: {self._service(edge["node"]["serviceName"]): edge["node"]["serviceId"] for edge in edges}
            )
        if service not in self._service_ids:
            raise _no_such_service(service)
        return self._service_ids[service]

    async def _address(self, service: Service) -> dict[str, str]:
        """The arguments by which Railway identifies a service of our environment."""
        return {
            "projectId": self._project_id,
            "environmentId": self._environment_id,
            "serviceId": await self.find_service_id(service),
        }

    async def _read_lines(
        self, document: str, field: str, deployment_id: str, limit: int, log_filter: str
    ) -> list[LogLine]:
        limit = max(1, min(limit, MAX_LOG_LINES))
        variables = {"deploymentId": deployment_id, "limit": limit, "filter": log_filter}
        data = await self._transport.call(DOCUMENTS[document], variables)
        return _parse(lambda: parse_logs(data[field], limit=limit))

    def _service_page(self, service_id: str) -> str:
        return service_link(self._project_id, self._environment_id, service_id)


def _parse(read: Callable[[], _T]) -> _T:
    """Return what `read` returns. Raises SourceError if Railway's answer has another shape than its schema promises."""
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise SourceError(SOURCE, f"its answer has an unexpected shape ({type(exc).__name__})") from exc


def _no_such_service(service: Service) -> SourceError:
    return SourceError(SOURCE, f"the environment has no service called {service.value}")
