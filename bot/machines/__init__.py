"""API for machines: reads, questions, and requests for changes that people approve in Slack."""
