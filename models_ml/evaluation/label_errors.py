"""Label errors of the golden set, by confident learning (Northcutt et al. 2021, cleanlab).

    python -m models_ml.evaluation.label_errors

Every text of all splits gets out-of-fold probabilities, from a head that was trained without it. A label is suspected
where they confidently name another type. A suspicion is a question to a person, never a correction: most are texts that
are merely hard. Progress goes to stderr. Exit codes: 0 fine, 1 it cannot be done, 2 bad usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from models_ml.golden import GOLDEN
from models_ml.golden.golden_set import GoldenSet, GoldenSetError, load_golden
from models_ml.model.calibration import softmax
from models_ml.model.encoder import embed, load_encoder
from models_ml.model.linear_head import fit_head
from models_ml.taxonomy import ISSUE_TYPES
from models_ml.text.preprocess import clean
from models_ml.training.train import TrainingConfig, fine_tune

Progress = Callable[[str], None]


class TooFewTextsError(ValueError):
    """An issue type has fewer texts than folds."""


@dataclass(frozen=True)
class Suspicion:
    """A suspected label.

    ``suggested`` is the out-of-fold prediction; ``score`` is the label quality: the out-of-fold probability of the
    given label, 0-1, lower is more suspicious.
    """

    text_id: str
    text: str
    given: str
    suggested: str
    score: float


def find_label_errors(
    golden: GoldenSet, *, folds: int = 5, fine_tuned: bool = False, progress: Progress = lambda _: None
) -> list[Suspicion]:
    """Find the suspected labels of a golden set, most suspicious first.

    Args:
        golden: texts of any number of the issue types, two at least.
        folds: number of cross-validation folds.
        fine_tuned: fine-tune the encoder for every fold (minutes each) instead of using the packaged one (seconds);
            fewer hard texts are suspected.
        progress: called for every fold.

    Raises:
        TooFewTextsError: there are fewer texts of some type than folds.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    types = [name for name in ISSUE_TYPES if any(text.issue_type == name for text in golden.texts)]
    labels = np.array([types.index(text.issue_type) for text in golden.texts])
    fewest = int(np.bincount(labels).argmin())
    if (labels == fewest).sum() < folds:
        count = (labels == fewest).sum()
        raise TooFewTextsError(f"{types[fewest]} has {count} texts, too few for {folds} folds; use fewer folds")
    probabilities = out_of_fold([clean(text.text) for text in golden.texts], labels, folds, fine_tuned, progress)
    wrong = find_label_issues(labels, probabilities, n_jobs=1)
    scores = get_label_quality_scores(labels, probabilities)
    order = sorted(np.flatnonzero(wrong), key=lambda index: (scores[index], golden.texts[index].text_id))
    return [
        Suspicion(
            text_id=golden.texts[index].text_id,
            text=golden.texts[index].text,
            given=golden.texts[index].issue_type,
            suggested=types[int(probabilities[index].argmax())],
            score=round(float(scores[index]), 4),
        )
        for index in order
    ]


def out_of_fold(
    texts: list[str], labels: NDArray[np.int64], folds: int, fine_tuned: bool, progress: Progress
) -> NDArray[np.float64]:
    """Out-of-fold probabilities (stratified cross-validation), shape (texts, classes); rows sum to 1.

    ``labels`` are class numbers 0, 1, 2 ... without a gap.
    """
    from sklearn.model_selection import StratifiedKFold

    config = TrainingConfig()
    result = np.zeros((len(texts), int(labels.max()) + 1))
    frozen = None if fine_tuned else embed(load_encoder(None, config.max_tokens), texts)
    splits = StratifiedKFold(folds, shuffle=True, random_state=config.seed).split(texts, labels)
    for number, (known, held_out) in enumerate(splits, start=1):
        progress(f"fold {number} of {folds}: {len(held_out)} texts are judged by what {len(known)} others teach")
        classes = labels[known].tolist()
        vectors = frozen
        if vectors is None:
            vectors = embed(fine_tune([texts[index] for index in known], classes, config, progress), texts)
        result[held_out] = softmax(
            fit_head(vectors[known], classes, config.inverse_regularisation).logits(vectors[held_out])
        )
    return result


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--golden",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=GOLDEN,
    help="The golden set's folder  [default: the repository's own].",
)
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=2), help="Parts to cut the texts into.")
@click.option("--fine-tuned", is_flag=True, help="Fine-tune the encoder for every fold: slow, but fewer false alarms.")
@click.option("--limit", type=click.IntRange(min=1), help="Print only the most suspicious ones  [default: all].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(golden: Path, folds: int, fine_tuned: bool, limit: int | None, as_json: bool) -> None:
    """Print the golden set's labels that are probably wrong, the most suspicious first, for a person to review."""
    try:
        suspicions = find_label_errors(
            load_golden(golden),
            folds=folds,
            fine_tuned=fine_tuned,
            progress=lambda message: click.echo(message, err=True),
        )
    except (GoldenSetError, TooFewTextsError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        click.echo(f"error: {error}; cleanlab comes with the development tools: pip install -e '.[dev]'", err=True)
        sys.exit(1)
    shown = suspicions[:limit]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in shown], indent=1, ensure_ascii=False))
        return
    click.echo(f"{len(suspicions)} suspected labels" + (f", the first {limit} of them" if limit else ""))
    click.echo(f"{'score':<6}  {'text_id':<24}  {'given':<22}  {'suggested':<22}  text")
    for one in shown:
        text = clean(one.text)
        click.echo(f"{one.score:<6.4f}  {one.text_id:<24}  {one.given:<22}  {one.suggested:<22}  {text}")


if __name__ == "__main__":
    main()
