"""Baselines, few-shot curves, label errors and plots: how good the classifier is."""
