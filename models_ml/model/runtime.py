"""Inference runtimes of the encoder: OpenVINO or PyTorch, whichever is fastest on this machine.

Training exports the encoder as an OpenVINO graph beside its PyTorch weights. The first use on a machine benchmarks
every available runtime on one batch, drops those whose vectors fail the parity check against training's reference, and
records the fastest in ``runtimes.json`` beside the model. ``$FEEDBACK_RUNTIME`` overrides the choice. Runtimes differ
only by rounding (cosine above ``PARITY``), so labels differ between machines only for texts on a threshold. For a
byte-equal replay on another kind of machine, set ``$FEEDBACK_RUNTIME`` to the runtime named in the labels.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models_ml.files import write_json
from models_ml.repairs import read_state

PARITY = 0.999
"""Least cosine between a runtime's vectors and the PyTorch reference vectors."""
GRAPH = Path("openvino", "encoder.xml")
_REFERENCE = "parity.npz"
_RECORD = "runtimes.json"

Ids = NDArray[np.int64]
Hidden = NDArray[np.float32]
Batch = tuple[Ids, Ids]
"""Token ids and attention mask, each of shape (batch, length)."""


class RuntimeChoiceError(ValueError):
    """``$FEEDBACK_RUNTIME`` names a runtime that this machine or this model does not have."""


class Runtime(Protocol):
    """An inference runtime: computes token states."""

    name: str

    def hidden(self, batches: Iterable[Batch]) -> Iterator[Hidden]:
        """The last hidden state of each batch, shape (batch, length, dimensions), in the order given."""
        ...


class TorchRuntime:
    """The encoder's PyTorch module: the reference runtime."""

    name = "torch-f32"

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        encoder.eval()  # training leaves dropout on, which makes vectors random

    def hidden(self, batches: Iterable[Batch]) -> Iterator[Hidden]:
        """The last hidden state of each batch, shape (batch, length, dimensions), in the order given."""
        import torch

        with torch.inference_mode():
            for ids, mask in batches:
                tokens = torch.from_numpy(ids)
                output = self._encoder(
                    {
                        "input_ids": tokens,
                        "attention_mask": torch.from_numpy(mask),
                        "token_type_ids": torch.zeros_like(tokens),
                    }
                )
                states: Hidden = output["token_embeddings"].float().numpy()
                yield states


class OpenVinoRuntime:
    """The exported OpenVINO graph, compiled for this processor with one stream per core (8 at most)."""

    def __init__(self, graph: Path, precision: str) -> None:
        import openvino

        self.name = f"openvino-{precision}"
        streams = max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1))
        core = openvino.Core()
        self._compiled = core.compile_model(
            core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": streams}
        )
        self._requests = [self._compiled.create_infer_request() for _ in range(streams + 1)]

    def hidden(self, batches: Iterable[Batch]) -> Iterator[Hidden]:
        """The last hidden state of each batch, shape (batch, length, dimensions), in the order given.

        An array is valid until the next one is asked for.
        """
        free, running = deque(self._requests), deque[Any]()
        for batch in batches:
            if not free:
                yield from self._finished(running, free)
            request = free.popleft()
            request.start_async(list(batch), share_inputs=False)
            running.append(request)
        while running:
            yield from self._finished(running, free)

    @staticmethod
    def _finished(running: deque[Any], free: deque[Any]) -> Iterator[Hidden]:
        request = running.popleft()
        request.wait()
        yield request.get_output_tensor(0).data
        free.append(request)


def export(encoder: Any, folder: Path) -> None:
    """Export the encoder as an OpenVINO graph: token ids and attention mask in, last hidden state out.

    Pooling, heads and calibration are not in the graph, so they can change without a new export.
    """
    import openvino
    import torch

    class LastHiddenState(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = encoder[0].auto_model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            types = torch.zeros_like(input_ids)
            return self.transformer(input_ids, attention_mask, types).last_hidden_state

    encoder.eval()
    example = torch.ones((2, 16), dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of branches on shapes, which the parity check covers
        graph = openvino.convert_model(LastHiddenState(), example_input=(example, example.clone()))
    path = folder / GRAPH
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(graph, path, compress_to_fp16=False)


def write_reference(folder: Path, ids: Ids, mask: Ids, encoder: Any) -> None:
    """Save one batch and its PyTorch mean-pooled vectors: the reference of the parity check."""
    states = next(TorchRuntime(encoder).hidden([(ids, mask)]))
    np.savez(folder / _REFERENCE, ids=ids, mask=mask, vectors=pool(states, mask))


def pool(states: Hidden, mask: Ids) -> Hidden:
    """Mean pooling of the token states under the mask, shape (batch, dimensions), not normalised."""
    weights = (mask / mask.sum(axis=1, keepdims=True)).astype(np.float32)
    mean: Hidden = np.matmul(weights[:, np.newaxis, :], states)[:, 0]
    return mean


def parity(runtime: Runtime, folder: Path) -> float:
    """Parity check: least cosine between a runtime's vectors and the reference vectors."""
    with np.load(folder / _REFERENCE) as kept:
        ids, mask, expected = kept["ids"], kept["mask"], kept["vectors"]
    vectors = pool(next(runtime.hidden([(ids, mask)])), mask)
    cosines = (vectors * expected).sum(axis=1) / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1))
    return float(cosines.min())


def open_runtime(folder: Path, load_torch: Callable[[], Any]) -> Runtime:
    """Open the runtime for a model: ``$FEEDBACK_RUNTIME``, else the recorded one, else the fastest in a benchmark.

    Raises:
        RuntimeChoiceError: ``$FEEDBACK_RUNTIME`` names none of those that can run here.
    """
    openers = _openers(folder, load_torch)
    named = os.environ.get("FEEDBACK_RUNTIME")
    if named and named not in openers:
        raise RuntimeChoiceError(
            f"FEEDBACK_RUNTIME is {named!r}; this machine and model have {', '.join(openers)}: name one, or unset it"
        )
    recorded = str(_recorded(folder).get(_machine(), {}).get("runtime"))
    if named or recorded in openers:
        return openers[named or recorded]()
    return _probe(folder, openers)


def _openers(folder: Path, load_torch: Callable[[], Any]) -> dict[str, Callable[[], Runtime]]:
    openers: dict[str, Callable[[], Runtime]] = {}
    if (folder / GRAPH).exists():
        precisions = ("bf16", "f32") if "BF16" in _capabilities() else ("f32",)
        openers = {f"openvino-{one}": functools.partial(OpenVinoRuntime, folder / GRAPH, one) for one in precisions}
    openers[TorchRuntime.name] = lambda: TorchRuntime(load_torch())
    return openers


@functools.cache
def _capabilities() -> tuple[str, ...]:
    import openvino

    return tuple(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _probe(folder: Path, openers: dict[str, Callable[[], Runtime]]) -> Runtime:
    """Benchmark every runtime on the reference batch; record the fastest that passes the parity check."""
    with np.load(folder / _REFERENCE) as kept:
        batch = (kept["ids"], kept["mask"])
    seconds: dict[str, float] = {}
    cosines: dict[str, float] = {}
    opened: dict[str, Runtime] = {}
    for name, opener in openers.items():
        runtime = opened[name] = opener()
        cosines[name] = parity(runtime, folder)  # also warms it up
        if cosines[name] < PARITY:
            continue
        began = time.perf_counter()
        for _ in runtime.hidden([batch] * 6):
            pass
        seconds[name] = (time.perf_counter() - began) / 6
    fastest = min(seconds, key=lambda name: seconds[name])
    _record(
        folder,
        {
            "runtime": fastest,
            "processor": _processor(),
            "texts_per_second": {name: round(len(batch[0]) / value) for name, value in seconds.items()},
            "cosine_to_torch": {name: round(value, 6) for name, value in cosines.items()},
        },
    )
    return opened[fastest]


def _recorded(folder: Path) -> dict[str, Any]:
    consequence = "the runtimes are timed again, which takes seconds"
    return read_state(folder / _RECORD, dict[str, dict[str, Any]], consequence) or {}


def _record(folder: Path, entry: dict[str, Any]) -> None:
    records = {**_recorded(folder), _machine(): entry}
    with suppress(PermissionError):  # a read-only model is benchmarked at every start, which costs seconds
        write_json(folder / _RECORD, records)


def _machine() -> str:
    """Fingerprint of the processor and the library versions."""
    versions = [importlib.metadata.version(name) for name in ("openvino", "torch")]
    return hashlib.sha256("|".join([_processor(), str(os.cpu_count()), *versions]).encode()).hexdigest()[:12]


@functools.cache
def _processor() -> str:
    """Processor model and its bfloat16 flags; virtual machines of one model name may differ in flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.system()} {platform.machine()} {platform.processor()}"
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    wide = {flag for line in lines if line.startswith("flags") for flag in line.split() if "bf16" in flag}
    return " ".join([model, *sorted(wide)])
