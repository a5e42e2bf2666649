"""The door for machines: reads, questions, and requests for changes that wait in Slack."""
