"""The Dagster code location of feedback-control: one package per stage of the loop, in the order data flows.

docs/architecture.md is the map. Only ``assets``, ``checks``, ``sensors``, ``schedules``, ``resources`` and
``definitions`` modules import Dagster; everything else is plain Python that tests call without it.
"""

import os

# No telemetry, whatever starts this process.
for _switch, _value in {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_switch, _value)
