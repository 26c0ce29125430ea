"""One dbt run on Spark in a process (and JVM) of its own; afterwards every table lies in a folder as Parquet.

python -m tests.spark.build FOLDER ARGUMENT...

Beside the tables, ``kept.json`` says how many rows of each incremental one this run left as they were.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dagster_project.home import DBT_PROJECT


def main(folder: str, arguments: list[str]) -> int:
    """Build, write the tables, and return 0 if dbt succeeded."""
    from dbt.cli.main import dbtRunner
    from pyspark.sql import SparkSession

    project = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", "spark"]
    outcome = dbtRunner().invoke([*arguments, *project, "--no-use-colors", "--log-level-file", "none", "--quiet"])
    results: list[Any] = getattr(outcome.result, "results", None) or []
    if not outcome.success:
        for item in results:
            if str(item.status) in {"error", "fail"}:
                print(item.node.name, item.message, file=sys.stderr)
        print(outcome.exception or "dbt failed on Spark", file=sys.stderr)
        return 1
    spark = SparkSession.builder.getOrCreate()
    for table in spark.catalog.listTables("main"):
        if not table.isTemporary and table.tableType != "VIEW":
            spark.table(f"main.{table.name}").coalesce(1).write.mode("overwrite").parquet(f"{folder}/{table.name}")
    incremental = [item.node.name for item in results if item.node.config.get("materialized") == "incremental"]
    kept = {name: _kept(spark, name) for name in incremental}
    Path(folder, "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    return 0


def _kept(spark: Any, table: str) -> int:
    """Rows that were there before the last append, by what Iceberg noted of it."""
    last = spark.sql(
        f"select operation, summary from main.{table}.snapshots order by committed_at desc limit 1"
    ).first()
    if last["operation"] != "append":
        return 0
    return int(last["summary"]["total-records"]) - int(last["summary"].get("added-records", 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
