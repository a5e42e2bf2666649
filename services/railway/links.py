"""Addresses of Railway's dashboard pages."""

from __future__ import annotations

from urllib.parse import quote

_DASHBOARD = "https://railway.com"


def project_link(project_id: str, environment_id: str) -> str:
    """The page of a project, with one environment chosen."""
    return f"{_DASHBOARD}/project/{quote(project_id, safe='')}?environmentId={quote(environment_id, safe='')}"


def service_link(project_id: str, environment_id: str, service_id: str) -> str:
    """The page of a service in one environment."""
    return (
        f"{_DASHBOARD}/project/{quote(project_id, safe='')}/service/{quote(service_id, safe='')}"
        f"?environmentId={quote(environment_id, safe='')}"
    )


def deployment_link(service_page: str, deployment_id: str) -> str:
    """The same page with one deployment opened."""
    return f"{service_page}&id={quote(deployment_id, safe='')}"
