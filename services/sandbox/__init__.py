"""Stand-ins for Postgres, Railway and Slack on one machine, for the demo and the tests. Only tests import them."""
