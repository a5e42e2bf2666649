"""The bot's own web endpoints: /livez, /healthz, /metrics and, in HTTP mode, /slack/events."""
