"""Database outages: announced, and paged for, without the database."""
