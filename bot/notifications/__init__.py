"""What reaches people outside Slack: stored with the state, sent at least once, told in the thread."""
