"""Wires everything that needs the database, from the settings to a process that starts and stops."""
