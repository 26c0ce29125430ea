"""The classifier of operational issues and its life: golden data, training, calibration, evaluation, serving.

Plain Python: nothing here knows Dagster, the lake or dbt. Importing any module is cheap; torch and friends are loaded
when a model is trained or first used. No model hub is ever asked: the encoder's weights come as a Python package.
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
# OpenVINO's converter reports each use unless this package is not there; then it takes a stub that sends nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
