"""Simulated shops, worlds and rehearsals. Only the command line, tests and benchmarks import it."""
