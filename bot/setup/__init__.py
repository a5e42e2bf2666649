"""Sets up the bot on a terminal, and checks the setup of Slack and Railway."""
