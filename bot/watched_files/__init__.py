"""Files of ours that the bot follows: the policy, the alert rules, and what the on-call file shares with them."""
