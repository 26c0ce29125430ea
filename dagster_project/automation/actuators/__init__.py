"""Actuators: one adapter of a control system a file, and the configured targets."""
