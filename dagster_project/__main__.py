"""Entry point of ``python -m dagster_project``: the command line."""

from dagster_project.cli.main import main

main(prog_name="python -m dagster_project")
