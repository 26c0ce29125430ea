"""Benchmark of throughput: plain ``SetFitModel.predict`` on PyTorch against the classifier as it serves.

Both use the same fine-tuned encoder and the same head, read the same texts, none of them twice, and run in processes of
their own, in turns; the fastest of three rounds counts. The classifier also says why (key phrases and neighbours) and
how the customer feels, which the plain one does not.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import ROOT, peak_mib, told_by

MODELS = ROOT / ".feedback-control" / "models"
KINDS = {"as written": 1_600, "20 tokens": 1_600, "80 tokens": 800, "250 tokens": 320}
"""Number of texts by length; ``as written`` are the golden texts."""
ROUNDS = 3


@dataclass(frozen=True)
class Row:
    """Both sides on one kind of text: texts a second (fastest round), peak memory, agreement.

    ``runtime`` is what this machine computes our encoder with.
    """

    kind: str
    texts: int
    plain: float
    ours: float
    plain_mib: float
    ours_mib: float
    agreement: float
    runtime: str


def texts_of(kind: str) -> list[str]:
    """Distinct texts: the golden set's own, or several of one issue type strung together up to a number of tokens."""
    from models_ml.golden.golden_set import load_golden
    from models_ml.training.train import load_or_train

    golden = [text for text in load_golden().texts if text.language == "en"]
    rng = random.Random(7)
    rng.shuffle(golden)
    if kind == "as written":
        return [text.text for text in golden][: KINDS[kind]]
    tokenizer = load_or_train(MODELS).encoder.tokenizer
    wanted, made = int(kind.split(maxsplit=1)[0]), dict[str, None]()
    while len(made) < KINDS[kind]:
        topic = rng.choice(golden).issue_type
        words = " ".join(rng.sample([text.text for text in golden if text.issue_type == topic], 1 + wanted // 8))
        ends = tokenizer.encode(words).offsets
        made[words[: ends[min(wanted - 2, len(ends) - 2)][1]]] = None
    return list(made)


def plain(texts: Sequence[str]) -> Callable[[], list[str]]:
    """SetFit's own model with our encoder and our head in it, as its users run it."""
    import numpy as np
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression

    from models_ml.model.encoder import load_encoder
    from models_ml.taxonomy import ISSUE_TYPES
    from models_ml.text.preprocess import clean
    from models_ml.training.train import load_or_train

    model = load_or_train(MODELS)
    head = LogisticRegression()
    head.classes_ = np.array(ISSUE_TYPES)
    head.coef_, head.intercept_ = model.heads.types.coefficients, model.heads.types.intercepts
    setfit = SetFitModel(load_encoder(model.folder / "encoder", model.max_tokens), head)
    cleaned = [clean(text) for text in texts]
    return lambda: list(setfit.predict(cleaned, show_progress_bar=False))


def ours(texts: Sequence[str]) -> Callable[[], list[str]]:
    """The classifier as it labels; the answers to compare are those of its head alone, as plain SetFit has no more."""
    import numpy as np

    from models_ml.taxonomy import ISSUE_TYPES
    from models_ml.text.preprocess import clean
    from models_ml.training.train import load_or_train

    model = load_or_train(MODELS)
    seen = model.heads.types.logits(model.encoder.encode([clean(text) for text in texts]))
    answers = np.array(ISSUE_TYPES)[seen.argmax(axis=1)].tolist()

    def label() -> list[str]:
        model.predict(texts)
        return list(answers)

    return label


def side(name: str, kind: str) -> dict[str, Any]:
    """One side's answers, seconds and peak memory, measured in this process."""
    texts = texts_of(kind)
    read = {"plain": plain, "ours": ours}[name]
    timed = read(texts)
    timed()  # whatever is set up at the first sight of a length
    started = time.perf_counter()
    answers = timed()
    seconds = time.perf_counter() - started
    return {"answers": [str(one) for one in answers], "seconds": seconds, "mib": peak_mib()}


def compare(say: Callable[[str], None] = print) -> list[Row]:
    """Both sides on every kind of text, one process after the other."""
    from models_ml.training.train import load_or_train

    rows, runtime = [], load_or_train(MODELS).encoder.runtime.name
    for kind in KINDS:
        rounds = [[told_by("benchmarks.throughput", side, kind) for side in ("plain", "ours")] for _ in range(ROUNDS)]
        plain_, ours_ = (min(own, key=lambda one: one["seconds"]) for own in zip(*rounds, strict=True))
        answers = list(zip(plain_["answers"], ours_["answers"], strict=True))
        row = Row(
            kind=kind,
            texts=len(answers),
            plain=len(answers) / plain_["seconds"],
            ours=len(answers) / ours_["seconds"],
            plain_mib=plain_["mib"],
            ours_mib=ours_["mib"],
            agreement=sum(one == other for one, other in answers) / len(answers),
            runtime=runtime,
        )
        rows.append(row)
        say(f"{kind}: {row.ours / row.plain:.1f} times as fast")
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as Markdown."""
    lines = [
        "| texts | distinct | plain SetFit, a second | ours, a second | ratio | same | plain memory | ours | runtime |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    return lines + [
        f"| {row.kind} | {row.texts:,} | {row.plain:,.0f} | {row.ours:,.0f} | {row.ours / row.plain:.1f} |"
        f" {row.agreement:.2%} | {row.plain_mib:,.0f} MiB | {row.ours_mib:,.0f} MiB | {row.runtime} |"
        for row in rows
    ]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(side(sys.argv[1], sys.argv[2])))
    else:
        print("\n".join(table(compare())))
