"""Error hierarchy: every deliberate error of this package, with its exit code.

    FeedbackControlError            anything this package raises on purpose
    ├── ConfigurationError          a setting or file is wrong; the user can fix it (exit code 2)
    ├── SourceError                 a source could not be read at all (exit code 1)
    ├── DecisionError               the decisioning models failed to build (exit code 1)
    ├── LedgerError                 the ledger's database was lost in the middle of the work (exit code 1)
    └── DestinationError            a destination refused or could not be reached (exit code 1)

Each message names the file, row or setting, and what to do about it. It is redacted when the error is made, as messages
end in logs, reports, the ledger and Dagster's events.
"""

from dagster_project.redaction import redact


class FeedbackControlError(Exception):
    """Base of every deliberate error; ``str(error)`` is a full sentence for the user."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class ConfigurationError(FeedbackControlError):
    """A setting, or a configuration file, is missing or wrong."""

    exit_code = 2


class SourceError(FeedbackControlError):
    """A configured source could not be read at all; other sources are unaffected."""


class DecisionError(FeedbackControlError):
    """The decisioning models failed to build or broke their contract."""


class LedgerError(FeedbackControlError):
    """The ledger's database was lost in the middle of the work; what was sent is reconciled by a later run."""


class DestinationError(FeedbackControlError):
    """A destination refused a write, or could not be reached."""


def said_of(error: Exception) -> str:
    """One line for the report: a deliberate error's own message; of any other its class as well."""
    if isinstance(error, FeedbackControlError):
        return str(error)
    return f"unforeseen {type(error).__name__}: {' '.join(str(error).split())}"


def yaml_problem(error: Exception) -> str:
    """Line, column and problem of a YAML error; the line itself may hold a secret, and YAML would cut it."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or not problem:
        return type(error).__name__
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
