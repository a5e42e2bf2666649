"""The database's outage: announced, and paged for, without the database."""
