"""Container images and the versions that their tags name."""

from __future__ import annotations

from collections.abc import Iterable


def has_version(images: Iterable[str], version: str) -> bool:
    """True if an image's tag is that version, with or without a leading ``v``."""
    return any(tag_of(image).removeprefix("v") == version.removeprefix("v") for image in images)


def tag_of(image: str) -> str:
    """The tag of an image; empty where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def spelled(images: Iterable[str]) -> str:
    """Images for a line of text, each without its registry."""
    return ", ".join(image.rpartition("/")[2] for image in images) or "nothing"
