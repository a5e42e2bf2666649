"""Stands in for the outside world: Postgres, Railway and Slack on one machine. Imported only by tests."""
