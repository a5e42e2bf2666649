"""Clients that reach people outside Slack: webhooks and e-mail."""
