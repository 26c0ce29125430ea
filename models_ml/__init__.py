"""The classifier of operational issues and its life: golden data, training, calibration, evaluation, serving.

Plain Python: nothing here knows Dagster, the lake or dbt. Importing any module is cheap; torch and friends are loaded when a model is
trained or first used. No model hub is ever asked: the encoder's weights come as a Python package.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
