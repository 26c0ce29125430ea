"""The registry: which trained model is the champion, that is, which one labels.

Models lie in one folder each, named by content hash. A newly trained model is a candidate. It becomes the champion only
if the golden evaluation split says that it is fit to serve; else the champion stays, and the refusal says why. The
decision and everything it rests on are kept in ``champion.json``, the latest refusal in ``refused.json``. Both are
remade when they break: the champion that the latest refusal names, or else the candidate, if it is fit.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import asdict, dataclass
from pathlib import Path

from models_ml.errors import ModelError
from models_ml.files import write_json
from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import GoldenSet, load_golden
from models_ml.model.calibration import answers
from models_ml.model.classifier import Classifier
from models_ml.model.integrity import BrokenModelError
from models_ml.model.metrics import Metrics, evaluate
from models_ml.repairs import read_state, tell_repair
from models_ml.taxonomy import FIRST_LANGUAGE, JOURNEY_WEIGHTS
from models_ml.training.recovery import load_checked
from models_ml.training.train import TrainingConfig, load_or_train

Progress = Callable[[str], None]

URGENT = tuple(name for name, weight in JOURNEY_WEIGHTS.items() if weight >= 0.9)
"""Issue types next to the purchase or to safety: a model that misses them may not serve."""


@dataclass(frozen=True)
class Bounds:
    """Acceptance bounds of a candidate.

    ``margin`` is the macro-F1 that a candidate may lose against the champion: about one standard error of macro-F1 on
    the golden set's evaluation split, so an equal model is rarely refused and a clear loss never accepted. On so few
    texts, sampling error alone gives an ``ece`` of about 0.05.
    """

    macro_f1: float = 0.55
    margin: float = 0.02
    urgent_recall: float = 0.5
    ece: float = 0.15


@dataclass(frozen=True)
class Promotion:
    """Decision on a candidate: promoted or refused, every reason against it, and the figures behind it."""

    candidate: str
    champion: str | None
    promoted: bool
    reasons: tuple[str, ...]
    figures: dict[str, float]


@dataclass(frozen=True)
class Champion:
    """Content of ``champion.json``: the model that labels, and the decision that made it the champion."""

    version: str
    decision: Promotion


@dataclass(frozen=True)
class Terms:
    """What a refusal rests on: it stands until one of them changes."""

    candidate: str
    champion: str | None
    bounds: dict[str, float]


@dataclass(frozen=True)
class Refusal:
    """Content of ``refused.json``: the latest decision against a candidate, and its terms."""

    terms: Terms
    decision: Promotion


class NoChampionError(ModelError):
    """The first model is refused, and there is no champion to keep."""


def champion(models: Path, *, golden: Path = GOLDEN, progress: Progress = lambda _: None) -> Classifier:
    """The model that labels: the recorded champion, or the first candidate, trained and assessed now.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
        NoChampionError: the first model is refused.
    """
    recorded = _recorded(models)
    if recorded is not None and (serving := _intact(models / recorded.version)):
        return serving
    return promote(models, golden=golden, progress=progress)[0]


def promote(
    models: Path,
    *,
    golden: Path = GOLDEN,
    config: TrainingConfig | None = None,
    bounds: Bounds | None = None,
    progress: Progress = lambda _: None,
) -> tuple[Classifier, Promotion]:
    """Train the candidate for this golden set if it is not cached, assess it, and promote it if it passes.

    Training and assessment are cached: a refusal stands until candidate, champion, golden set or bounds change.

    Returns:
        The champion after the decision, and the decision.

    Raises:
        GoldenSetError: the golden set is missing or wrong.
        NoChampionError: the candidate is refused, and there is no champion to keep.
    """
    candidate = load_or_train(models, config=config, golden=golden, progress=progress)
    recorded, refused = _recorded(models), _refused(models)
    if recorded and recorded.version == candidate.version:
        return candidate, recorded.decision
    named = recorded.version if recorded else refused.terms.champion if refused else None
    current = _intact(models / named) if named else None
    bounds = bounds or Bounds()
    terms = Terms(candidate.version, current.version if current else None, asdict(bounds))
    if refused and refused.terms == terms:
        if current and not recorded:
            figures = {"macro_f1": current.metrics.macro_f1, "ece": current.metrics.ece}
            known = Promotion(current.version, None, promoted=True, reasons=(), figures=figures)
            write_json(models / "champion.json", asdict(Champion(current.version, known)))
        return _kept(current, refused.decision)
    decision = assess(candidate, current, load_golden(golden), bounds)
    if decision.promoted:
        write_json(models / "champion.json", asdict(Champion(candidate.version, decision)))
        return candidate, decision
    write_json(models / "refused.json", asdict(Refusal(terms, decision)))
    progress(f"model {candidate.version} is refused: {'; '.join(decision.reasons)}")
    return _kept(current, decision)


def check_champion(models: Path) -> None:
    """Compare the champion's files with their content hashes; what is broken is told, and healed when it labels."""
    if recorded := _recorded(models):
        _intact(models / recorded.version)


def _kept(current: Classifier | None, decision: Promotion) -> tuple[Classifier, Promotion]:
    if current is None:
        raise NoChampionError(f"model {decision.candidate} may not serve: {'; '.join(decision.reasons)}")
    return current, decision


def assess(candidate: Classifier, current: Classifier | None, data: GoldenSet, bounds: Bounds) -> Promotion:
    """Compare a candidate with the bounds and the champion, on the evaluation texts in its languages."""
    metrics = candidate.metrics
    reasons = []
    figures = {"macro_f1": metrics.macro_f1, "ece": metrics.ece}
    if metrics.macro_f1 < bounds.macro_f1:
        reasons.append(f"macro-F1 {metrics.macro_f1:.3f} is below {bounds.macro_f1}")
    if current is not None:
        figures["champion_macro_f1"] = measured(current, data, (FIRST_LANGUAGE, *candidate.languages)).macro_f1
        if metrics.macro_f1 < figures["champion_macro_f1"] - bounds.margin:
            reasons.append(
                f"macro-F1 {metrics.macro_f1:.3f} is more than {bounds.margin} below the champion's"
                f" {figures['champion_macro_f1']:.3f}"
            )
    for name in URGENT:
        recall = figures[f"recall_{name}"] = metrics.by_type[name].recall
        if recall < bounds.urgent_recall:
            reasons.append(f"recall of {name} {recall:.2f} is below {bounds.urgent_recall}")
    if metrics.ece > bounds.ece:
        reasons.append(f"calibration error {metrics.ece:.3f} is above {bounds.ece}")
    return Promotion(
        candidate=candidate.version,
        champion=current.version if current else None,
        promoted=not reasons,
        reasons=tuple(reasons),
        figures={name: round(value, 4) for name, value in figures.items()},
    )


def measured(model: Classifier, data: GoldenSet, languages: Container[str]) -> Metrics:
    """Metrics of a model on the current evaluation texts in some languages; the split may have grown since training."""
    texts = [text for text in data.split("evaluation") if text.language in languages]
    probabilities = model.probabilities([text.text for text in texts])
    return evaluate(probabilities, [text.issue_type for text in texts], answers(probabilities, model.thresholds))


def _recorded(models: Path) -> Champion | None:
    return read_state(models / "champion.json", Champion, "the champion is determined anew, without training")


def _refused(models: Path) -> Refusal | None:
    return read_state(models / "refused.json", Refusal, "a candidate that was refused is assessed again")


def _intact(folder: Path) -> Classifier | None:
    """The recorded champion; None, with a line, if its folder is gone or broken."""
    try:
        return load_checked(folder)
    except BrokenModelError as broken:
        tell_repair(f"champion {folder.name} is broken ({broken.reason}): the next model that is fit takes its place")
        return None
