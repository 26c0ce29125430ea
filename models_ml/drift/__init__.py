"""Drift of texts and predictions between two windows, and its effect on accuracy, without labels.

``Corpus`` holds the measurements of each text; a window is a set of its rows, chosen by the caller. ``compare`` tests
two windows for drift. ``estimate_accuracy`` estimates the accuracy of one. ``changes`` attributes the difference to
groups of texts. ``explain`` puts each result into a sentence.
"""

from models_ml.drift.compare import LEVEL, MIN_ROWS, TESTS, Comparison, DriftFinding, DriftVerdict, Kind, compare
from models_ml.drift.corpus import MAX_EMBEDDED, MAX_ROWS, Corpus, Predictions, Rows, subsample
from models_ml.drift.explain import MovedWord
from models_ml.drift.performance import AccuracyEstimate, GroupChange, Judged, changes, estimate_accuracy

__all__ = [
    "LEVEL",
    "MAX_EMBEDDED",
    "MAX_ROWS",
    "MIN_ROWS",
    "TESTS",
    "AccuracyEstimate",
    "Comparison",
    "Corpus",
    "DriftFinding",
    "DriftVerdict",
    "GroupChange",
    "Judged",
    "Kind",
    "MovedWord",
    "Predictions",
    "Rows",
    "changes",
    "compare",
    "estimate_accuracy",
    "subsample",
]
