"""Events in Railway outside the bot: its webhook, its notices, and deployments and scaling made elsewhere."""
