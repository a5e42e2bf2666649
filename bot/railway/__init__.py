"""What happens in Railway without the bot: its webhook, its notices, and deployments and scaling made elsewhere."""
