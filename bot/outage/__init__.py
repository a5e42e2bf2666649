"""The database is away: what the bot tells without it, and stores once it is back."""
