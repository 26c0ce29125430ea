"""Simulation: a shop (``shop``), scenarios with a known truth (``worlds``), and rehearsals of a scenario.

It stands above the product: only the command line, tests and benchmarks import it.
"""
