"""The systems around the bot: a folder with `__main__.py` is a process, `clients/` has the outside systems' clients."""
