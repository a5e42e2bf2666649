"""Client of Railway's GraphQL API (railway-api.md)."""
