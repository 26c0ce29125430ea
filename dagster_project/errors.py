"""Error hierarchy: every deliberate error of this package, with its exit code.

    FeedbackControlError            anything this package raises on purpose
    ├── ConfigurationError          a setting or file is wrong; the user can fix it (exit code 2)
    ├── SourceError                 a source could not be read at all (exit code 1)
    ├── DecisionError               the decisioning models failed to build (exit code 1)
    ├── LedgerError                 the ledger's database was lost in the middle of the work (exit code 1)
    └── DestinationError            a destination refused or could not be reached (exit code 1)

Each message names the file, row or setting, and what to do about it.
"""


class FeedbackControlError(Exception):
    """Base of every deliberate error; ``str(error)`` is a full sentence for the user."""

    exit_code = 1


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
