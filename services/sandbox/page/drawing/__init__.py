"""Block Kit to HTML. Everything that comes from a payload is escaped; unknown types draw a visible error."""
