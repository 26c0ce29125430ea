"""A simulated shop with planted incidents: export files of every source, and the expected result."""
