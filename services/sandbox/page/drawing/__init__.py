"""Block Kit to HTML. All content of a payload is escaped; unknown types become a visible error."""
