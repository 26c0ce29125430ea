"""The golden set, and active learning, which grows it."""
