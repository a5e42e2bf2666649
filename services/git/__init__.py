"""The checkout that a person has at hand: what is not committed, and which release it is."""
