"""Stage 2: each new piece of feedback gets its label from the classifier in ``models_ml``."""
