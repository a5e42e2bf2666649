"""The bot's interface to Slack: receives payloads and sends responses."""
