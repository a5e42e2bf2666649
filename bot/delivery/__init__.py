"""Delivers messages: to Slack from the outbox, and to pagers and e-mail."""
