"""Atomic writes and file locks for every stage; the implementation is shared with the models (``models_ml.files``)."""

from models_ml.files import locked, write_atomically, write_json, write_text

__all__ = ["locked", "write_atomically", "write_json", "write_text"]
