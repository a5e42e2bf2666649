"""The bot's own HTTP endpoints: /livez, /healthz, /metrics and, in HTTP mode, /slack/events."""
