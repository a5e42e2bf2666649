"""The bot: Slack, the terminal, alerts, and its own web endpoints."""
