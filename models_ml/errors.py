"""The base of the errors that a user of the models can meet."""


class ModelError(Exception):
    """A golden set, a rules file or a model is wrong or unfit; ``str(error)`` is a full sentence for the user."""
