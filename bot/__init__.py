"""What people talk to: Slack, the terminal, alerts, and the bot's own web endpoints."""
