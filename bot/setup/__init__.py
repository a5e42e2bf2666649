"""Sets the bot up, on a terminal, and shows whether Slack and Railway are set up as it needs them."""
