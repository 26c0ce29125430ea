"""The issue classifier: golden set, training, calibration, evaluation, promotion, inference, drift.

Plain Python without Dagster, lake or warehouse; of dbt it reads one seed, the taxonomy. Imports are cheap: torch and
other heavy libraries are loaded when a model is trained or first used. No model hub is contacted: the encoder's weights
are a Python package.
"""

import os
import sys

for _switch, _value in {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_switch, _value)
# Disable OpenVINO's telemetry: without this package its converter uses a stub that sends nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
