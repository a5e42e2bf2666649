"""Reaches people outside Slack: webhooks and e-mail."""
