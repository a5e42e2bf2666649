"""Commands, one file per verb or small family of verbs: parse the words, ask a playbook, answer."""
