"""The Dagster code location of feedback-control: one package per stage of the loop, in the order data flows.

Only the files named for it (``assets checks sensors schedules resources definitions``) import Dagster; everything else
is plain Python that a test calls without it.
"""

import os

# Nothing phones home, whoever starts us.
for _switch, _value in {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_switch, _value)
