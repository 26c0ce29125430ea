"""The classifier: encoder, heads, calibration, sentiment, key phrases and its metrics."""
