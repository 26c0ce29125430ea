"""The golden set, and active learning, which grows it."""

from pathlib import Path

GOLDEN = Path(__file__).parent
"""Folder of the packaged golden set; named here so that whoever needs only the path imports no model code."""
