"""What is to be said in Slack: stored with the state, sent once, edited in place."""
