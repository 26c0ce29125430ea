"""Scenarios with a known truth, to measure the decisions: false alarms, missed alarms, wrongly blamed releases.

A scenario (``must_fire``, ``must_not_roll_back``, ``tempting``) is a plot; a world is a plot with a size and a seed
(``catalogue``); a simulation draws its rows (``simulate``); the runner decides on them and ``scoring`` compares with
the truth. Labels are given, so the classifier is not part of the measurement.
"""
