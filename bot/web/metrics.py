"""The state that /healthz and /metrics report.

Labels come from closed sets, never from typed text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.config.fields import Fault


@dataclass(frozen=True)
class Health:
    """Health of the process. `slack_connections` of `slack_expected` are up (HTTP mode: 1 of 1 once Slack accepted the
    token).

    `database`: the problem at the last attempt, or None. `disabled`: missing or malformed settings; they disable
    commands but do not make the bot unhealthy. `late`: reasons why the dead man's switch does not ping; known on the
    leader only. `channel`: why the incidents channel accepts no messages, or None.
    """

    slack_connections: int
    slack_expected: int
    database: str | None
    leader: bool
    disabled: Sequence[Fault] = ()
    late: Sequence[str] = ()
    channel: str | None = None
    git_sha: str | None = None
    uptime_s: float = 0.0

    @property
    def connected(self) -> bool:
        """True if commands from Slack can arrive."""
        return self.slack_connections > 0

    @property
    def able_to_act(self) -> bool:
        """True if the bot can make changes, which it must record in the database first."""
        return self.connected and self.database is None

    @property
    def http_status(self) -> int:
        return 200 if self.able_to_act else 503

    def as_json(self) -> dict[str, Any]:
        """The public body of /healthz: without addresses and names of settings, which `check-config` shows."""
        return {
            "status": "ok" if self.able_to_act else "degraded" if self.connected else "disconnected",
            "alive": True,
            "connected": self.connected,
            "able_to_act": self.able_to_act,
            "slack": {"connections": self.slack_connections, "expected": self.slack_expected},
            "database": {"ok": self.database is None, "why": self.database},
            "channel": {"ok": self.channel is None, "why": self.channel},
            "leader": self.leader,
            "late": list(self.late),
            "disabled_settings": len(self.disabled),
            "git_sha": self.git_sha,
            "uptime_s": round(self.uptime_s, 1),
        }


class Metrics:
    """The process's metrics, in their own registry, so that tests can have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Histogram(
            "dragonfly_bot_answer_seconds",
            "From receiving a payload to sending the answer",
            ["surface", "outcome"],
            registry=self.registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.messages = Counter(
            "dragonfly_bot_outbox_sends_total",
            "Messages that the outbox posted or edited",
            ["outcome"],
            registry=self.registry,
        )
        self.notifications = Counter(
            "dragonfly_bot_notifications_total",
            "Attempts to notify people outside Slack",
            ["means", "outcome"],
            registry=self.registry,
        )
        self.alerts = Counter(
            "dragonfly_bot_alerts_total", "Alerts, per transition", ["transition"], registry=self.registry
        )
        self.task_failures = Counter(
            "dragonfly_bot_task_failures_total",
            "Failed ticks of the leader's periodic tasks",
            ["task"],
            registry=self.registry,
        )
        self._connections = Gauge("dragonfly_bot_slack_connections", "Connections to Slack", registry=self.registry)
        self._able = Gauge(
            "dragonfly_bot_able_to_act", "1 when connected to Slack and the database", registry=self.registry
        )
        self._leader = Gauge(
            "dragonfly_bot_leader", "1 on the leader, the replica that sends messages", registry=self.registry
        )

    def render(self, health: Health) -> bytes:
        """The metrics in Prometheus's text format."""
        self._connections.set(health.slack_connections)
        self._able.set(health.able_to_act)
        self._leader.set(health.leader)
        return generate_latest(self.registry)
