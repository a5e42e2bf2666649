"""OpenAI, or any server that speaks its API: one question, one structured answer."""
