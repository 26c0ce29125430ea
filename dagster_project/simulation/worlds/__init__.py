"""Scenarios: small worlds with a known truth, which the decisions are judged by. Labels are given."""
