"""Clients of the outside systems, one module or package per system."""
