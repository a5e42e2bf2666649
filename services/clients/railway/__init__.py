"""Client of Railway's GraphQL API."""
