"""Training, the model registry and the model card."""
