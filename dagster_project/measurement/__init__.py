"""Stage 5: how fast the loop is, what it changed, and rehearsals in simulated worlds."""
