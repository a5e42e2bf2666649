"""One file a verb, or a small family of verbs: parse the words, ask a playbook, answer."""
