"""Stage 1: what customers say and what operations measure, read from every configured source and landed in the lake."""
