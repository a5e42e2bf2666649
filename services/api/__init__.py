"""Process: the REST API, with health for people and machines, and the intake of CSV files."""
