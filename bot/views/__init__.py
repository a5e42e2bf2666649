"""Pure functions: data in, Block Kit (or terminal text) out."""
