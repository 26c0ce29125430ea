"""Model card, written beside every trained model: intended use, training data, metrics, known weak spots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models_ml.model.metrics import Metrics

_WEAK = 0.6


def write_card(
    path: Path,
    version: str,
    metrics: Metrics,
    details: dict[str, Any],
    served: dict[str, Any],
) -> None:
    """Write the card as Markdown."""
    weak = [name for name, figures in metrics.by_type.items() if figures.f1 < _WEAK]
    counts = details["texts"]
    limits = ", ".join(f"{name} {value:.2f}" for name, value in served["thresholds"].items())
    judged = sum(figures.support for figures in metrics.by_type.values())
    readable = ", ".join(served["languages"]) or "none"
    lines = [
        f"# Classifier {version}",
        "",
        "## Intended use",
        "Names the operational issue type of one piece of customer feedback, or declines. Made for counting complaints in",  # noqa: E501
        "bulk, where single mistakes average out; not for judging a single customer.",
        "",
        "## Made from",
        f"all-MiniLM-L6-v2, fine-tuned by SetFit on {counts['train']} texts"
        f" ({', '.join(details['languages'])}), calibrated on {counts['calibration']} others (temperature"
        f" {served['temperature']:.2f}), judged on {judged} more that it never saw, in the languages that it reads.",
        "",
        "## How good",
        f"- accuracy {metrics.accuracy:.2f}, macro-F1 {metrics.macro_f1:.2f} before abstention",
        f"- answers {metrics.coverage:.0%} of texts, and is right in {metrics.accuracy_when_answering:.0%} of its answers",  # noqa: E501
        f"- expected calibration error {metrics.ece:.3f} (ten bins)",
        "",
        metrics.as_markdown(),
        "",
        "## Known weak spots",
        f"- issue types with F1 below {_WEAK}: {', '.join(weak) or 'none'}",
        "- the evaluation texts were chosen to be hard (two topics in one text, irony, slang, typos) and by the authors of",  # noqa: E501
        "  the training texts: real feedback is plainer in part, and stranger in part",
        f"- reads these languages well enough to answer: {readable}; all others are left to the rules, or abstained",
        "- one label per text: of two complaints in one text, only the one to act on counts",
        "- short outcries without an object (not work!) are read as no particular issue",
        "",
        "## Settings",
        f"Answers from these confidences on: {limits}.",
        "",
        "Training: " + ", ".join(f"{name} {value}" for name, value in details["config"].items()) + ".",
        "",
        "## Environment",
        f"Trained in {details['seconds']:.0f} s on {details['machine']}, with "
        + ", ".join(f"{name} {value}" for name, value in details["libraries"].items())
        + ".",
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
