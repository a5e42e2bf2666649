"""A local Railway: the GraphQL endpoint, and services that really run as processes."""
