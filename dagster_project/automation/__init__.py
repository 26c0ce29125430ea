"""What leaves the building: tickets today, through the ledger, each exactly once."""
