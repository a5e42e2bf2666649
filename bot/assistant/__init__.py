"""Answers questions in words: rules first, then a model whose every claim is checked against what was read."""
