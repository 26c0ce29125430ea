"""flagd's evaluator on a watched file, in an environment of its own: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import sys

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext


def main(file: str) -> None:
    """Answer each `[flag, default, context]` with the value that an application gets."""
    api.set_provider(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=file, deadline_ms=50))
    client = api.get_client()
    for line in sys.stdin:
        flag, default, context = json.loads(line)
        value = client.get_boolean_value(flag, default, EvaluationContext(attributes=context))
        print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
