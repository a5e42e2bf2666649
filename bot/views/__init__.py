"""Views: pure functions that turn data into Block Kit or terminal text."""
