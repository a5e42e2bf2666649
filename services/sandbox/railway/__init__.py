"""A local Railway: the GraphQL endpoint over services that really run as processes."""
