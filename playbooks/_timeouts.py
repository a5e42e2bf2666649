"""How long a change waits for what has to follow, in seconds. Long enough for a bad day, never for ever."""

from __future__ import annotations

DEPLOY_S = 300  # an image that exists: pull, start, health check
BUILD_S = 1200  # a build from the commit, then the same
SHA_S = 120  # the new process beats or answers within a minute
HEALTH_S = 120
HEARTBEAT_S = 180  # a worker beats every 30 s, and its container takes its time to start
STARTUP_LOG_S = 120
STOP_MARGIN_S = 60  # on top of the draining time: Railway's own bookkeeping
SAMPLE_HEALTH_S = 30  # the golden path wants an API that is healthy already; this is for one that is just restarting
SAMPLE_S = 300  # one small file: seconds, behind what waits before it
JOBS_S = 300  # a requeued job is taken up in seconds, and its retries back off
UNSET_DRAINING_S = 60  # waited for when Railway does not say what is configured


def stop_timeout_s(draining_s: int | None) -> int:
    """How long the last process of a service may take to end."""
    return (UNSET_DRAINING_S if draining_s is None else draining_s) + STOP_MARGIN_S
