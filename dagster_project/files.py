"""Atomic writes, locks and self-healing state files for every stage; shared with the models (``models_ml``)."""

from models_ml.files import (
    create_text,
    ensure_folder,
    locked,
    relocate,
    remove_abandoned,
    set_aside,
    sha256_of,
    write_atomically,
    write_json,
    write_text,
)
from models_ml.repairs import UnreadableError, read_state, tell_repair, telling_repairs, unreadable

__all__ = [
    "UnreadableError",
    "create_text",
    "ensure_folder",
    "locked",
    "read_state",
    "relocate",
    "remove_abandoned",
    "set_aside",
    "sha256_of",
    "tell_repair",
    "telling_repairs",
    "unreadable",
    "write_atomically",
    "write_json",
    "write_text",
]
