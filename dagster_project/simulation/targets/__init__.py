"""Simulated control systems in one process, with faults by step and a journal: for tests and benchmarks."""
