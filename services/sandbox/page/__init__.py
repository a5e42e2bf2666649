"""The demo's web page: a channel that looks like Slack, and the panel of what a person may break."""
