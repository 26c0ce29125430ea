"""Outbound automation: tickets today, each written exactly once through the ledger."""
