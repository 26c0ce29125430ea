"""Stage 2, enrichment: label each new piece of feedback with ``models_ml``."""
