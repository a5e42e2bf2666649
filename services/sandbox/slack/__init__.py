"""A local Slack: Web API, Socket Mode and signed HTTP as on the network, with people and channels in memory."""
