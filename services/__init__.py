"""The systems around the bot: a folder with `client.py` is called, a folder with `__main__.py` is a process."""
