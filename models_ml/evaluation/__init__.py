"""Evaluation of the classifier: baselines, few-shot curves, label errors and plots."""
