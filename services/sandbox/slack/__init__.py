"""A local Slack: Web API, Socket Mode and signed HTTP at the wire, people and channels in memory."""
