"""The Dagster code location of feedback-control: one package per stage of the loop, in the order data flows.

Only the files named for it (``assets checks sensors schedules resources definitions``) import Dagster; everything else
is plain Python that a test calls without it.
"""
