"""Simulated worlds with known truth, to rehearse the loop in."""
