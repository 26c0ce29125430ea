"""One dbt run on Spark in a process (and JVM) of its own; afterwards every table lies in a folder as Parquet.

python -m tests.spark.build FOLDER ARGUMENT...
"""

from __future__ import annotations

import sys

from dagster_project.home import DBT_PROJECT


def main(folder: str, arguments: list[str]) -> int:
    """Build, write the tables, and return 0 if dbt succeeded."""
    from dbt.cli.main import dbtRunner
    from pyspark.sql import SparkSession

    project = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", "spark"]
    outcome = dbtRunner().invoke([*arguments, *project, "--no-use-colors", "--log-level-file", "none", "--quiet"])
    if not outcome.success:
        for item in getattr(outcome.result, "results", None) or []:
            if str(item.status) in {"error", "fail"}:
                print(item.node.name, item.message, file=sys.stderr)
        print(outcome.exception or "dbt failed on Spark", file=sys.stderr)
        return 1
    spark = SparkSession.builder.getOrCreate()
    for table in spark.catalog.listTables("main"):
        if not table.isTemporary and table.tableType != "VIEW":
            spark.table(f"main.{table.name}").coalesce(1).write.mode("overwrite").parquet(f"{folder}/{table.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
