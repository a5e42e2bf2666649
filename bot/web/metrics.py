"""What /healthz and /metrics answer: whether the bot can do its work, and what Prometheus may ask for.

Labels come from closed sets, never from what people typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.config.fields import Fault


@dataclass(frozen=True)
class Health:
    """`slack_connections` of `slack_expected` are up (HTTP mode: 1 of 1 once the token was accepted).

    `database`: None when it answered last time, otherwise why not. `disabled` are the settings that are missing or
    malformed: they disable commands, they do not make the bot unhealthy. `late`: what keeps the dead man's switch from
    calling; known on the leader only. `channel`: why the incidents channel takes no messages, None while it does.
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
        """Whether people's words reach us."""
        return self.slack_connections > 0

    @property
    def able_to_act(self) -> bool:
        """Whether we may change anything: nothing is changed that cannot be written down first."""
        return self.connected and self.database is None

    @property
    def http_status(self) -> int:
        return 200 if self.able_to_act else 503

    def as_json(self) -> dict[str, Any]:
        """The answer's body, which strangers may read: no addresses, no names of settings (`check-config` has them)."""
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
    """One registry a process, so that tests may have several."""

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
        """The text that Prometheus reads."""
        self._connections.set(health.slack_connections)
        self._able.set(health.able_to_act)
        self._leader.set(health.leader)
        return generate_latest(self.registry)
