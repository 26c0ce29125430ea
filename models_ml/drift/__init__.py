"""Has what customers write, or what the classifier makes of it, changed; and what does that do to its accuracy?

``Corpus`` holds what is measured of each text, and a window is a set of its rows. ``compare`` judges two windows,
``estimate_accuracy`` says how often the answers of one are right without any label, ``changes`` which groups of texts
moved that figure, and ``explain`` puts each into a sentence. Where the windows come from is the caller's matter.
"""

from models_ml.drift.compare import LEVEL, MIN_ROWS, TESTS, Comparison, Finding, Kind, Verdict, compare
from models_ml.drift.corpus import MAX_EMBEDDED, MAX_ROWS, Corpus, Reading, Rows, subsample
from models_ml.drift.explain import MovedWord
from models_ml.drift.performance import AccuracyEstimate, Change, Judged, changes, estimate_accuracy

__all__ = [
    "LEVEL",
    "MAX_EMBEDDED",
    "MAX_ROWS",
    "MIN_ROWS",
    "TESTS",
    "AccuracyEstimate",
    "Change",
    "Comparison",
    "Corpus",
    "Finding",
    "Judged",
    "Kind",
    "MovedWord",
    "Reading",
    "Rows",
    "Verdict",
    "changes",
    "compare",
    "estimate_accuracy",
    "subsample",
]
