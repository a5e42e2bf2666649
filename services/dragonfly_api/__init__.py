"""The client of our own API: its health, and the intake as the golden path uses it."""
