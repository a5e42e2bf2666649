"""Wires all parts that need the database into one process that starts and stops."""
