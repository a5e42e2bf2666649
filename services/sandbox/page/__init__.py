"""The demo's web page: a channel that looks like Slack, and a panel with the faults that a person can cause."""
