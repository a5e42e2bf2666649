"""The local Slack as one router: Web API, Socket Mode, response URLs, uploads, and `/control/slack`."""

from fastapi import APIRouter

from services.sandbox.slack.workspace import Workspace


def build_router(workspace: Workspace) -> APIRouter:
    """Everything that the app and the tests reach over HTTP."""
    router = APIRouter()
    router.state_workspace = workspace  # type: ignore[attr-defined]
    return router
