"""Untrusted text: sanitize it, and turn Markdown into each tracker's markup."""
