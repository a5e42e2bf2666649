"""Where Slack comes in: acknowledge, take each payload once, run the command, answer."""
