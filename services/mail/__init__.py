"""The mail server, as the bot uses it."""
