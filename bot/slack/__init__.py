"""Slack's side of the bot: payloads in, responses out."""
