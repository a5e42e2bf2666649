"""The bot's configuration: its environment, timing, and the alerts, policy and on-call files."""
