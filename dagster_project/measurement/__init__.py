"""Stage 5, measurement: the closed-loop report, and drift of the classifier."""
