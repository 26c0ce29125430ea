"""Mitigation: the ladder from a decision to a change in production, with approvals, verification and undo."""
