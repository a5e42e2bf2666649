"""What Prometheus may ask for at /metrics. Labels come from closed sets, never from what people typed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.web.health import Health


class Metrics:
    """One registry a process, so that tests may have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Histogram(
            "dragonfly_bot_answer_seconds",
            "From taking a payload to the sent answer",
            ["surface", "outcome"],
            registry=self.registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.messages = Counter(
            "dragonfly_bot_outbox_sends_total", "Posts and edits by the outbox", ["outcome"], registry=self.registry
        )
        self.notifications = Counter(
            "dragonfly_bot_notifications_total",
            "Tries to reach somebody outside Slack",
            ["means", "outcome"],
            registry=self.registry,
        )
        self.alerts = Counter(
            "dragonfly_bot_alerts_total", "Alerts by what happened to them", ["transition"], registry=self.registry
        )
        self.task_failures = Counter(
            "dragonfly_bot_task_failures_total",
            "Failed ticks of the leader's periodic tasks",
            ["task"],
            registry=self.registry,
        )
        self._connections = Gauge("dragonfly_bot_slack_connections", "Connections to Slack", registry=self.registry)
        self._able = Gauge(
            "dragonfly_bot_able_to_act", "1 when connected and the database is there", registry=self.registry
        )
        self._leader = Gauge("dragonfly_bot_leader", "1 on the replica that sends", registry=self.registry)

    def render(self, health: Health) -> bytes:
        """The text that Prometheus reads."""
        self._connections.set(health.slack_connections)
        self._able.set(health.able_to_act)
        self._leader.set(health.leader)
        return generate_latest(self.registry)
