"""The door: whatever leaves the process as text is redacted, masked and made harmless here, and only then cut.

    logs          a log record factory: message and exception of every logger of the process
    terminal      a stream in place of stdout and stderr: no control codes, markup or zero-width characters
    exceptions    an error that leaves an asset, a command or a thread says nothing that its message must not hold
    pages         a finalizer for Jinja, before its escaping
    Dagster       metadata, previews and failures: ``dagster_metadata.py``, which calls this module

Secrets are redacted by ``redaction.py``, personal data is masked by ``models_ml/text/masking.py``.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import TracebackType
from typing import Any, TextIO

from dagster_project.errors import FeedbackControlError
from dagster_project.redaction import redact
from models_ml.text.masking import UNSEEN, mask

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"  # titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"
)
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")
_NO_TEXT = re.compile("[\ud800-\udfff\u2028\u2029]")
_BREAK = "\N{ZERO WIDTH SPACE}"
_LIVE = re.compile(
    r"(?<!\\)(?:!(?=\[)|<(?=[a-zA-Z/!?])(?!https?://)|\[(?=[^\]]*\](?:\(|:)\s*<?(?:javascript|data|vbscript):))",
    re.IGNORECASE,
)
_MARGIN = 16_384
"""Characters behind an excerpt that are searched with it: white space and unseen characters, which fall away, count."""

_KEYS = re.compile(r"(?:^|_)(?:id|key|hash|marker|sha|version|digest)$")


def clean(value: object, limit: int | None = None) -> str:
    """Text fit to leave: secrets redacted, personal data masked, no control codes; cut last, with an ellipsis."""
    text = "\n".join(map(mask, redact(visible(str(value))).split("\n")))
    return text if limit is None or len(text) <= limit else text[: limit - 1].rstrip() + "…"


def excerpt(value: object, limit: int = 200) -> str:
    """The beginning of a text of outside, such as a server's answer, on one line and fit to leave.

    Of megabytes only the first part is searched, as that takes seconds; it reaches far beyond the limit, so that no
    secret at the limit is cut in two before it is found.
    """
    begun = str(value)[: 4 * limit + _MARGIN]
    return clean(" ".join(begun.split()), limit)


def visible(text: str) -> str:
    """The text without terminal control codes, direction marks and zero-width characters."""
    return _NO_TEXT.sub("\ufffd", UNSEEN.sub("", _ANSI.sub("", text.replace("\r\n", "\n")).replace("\r", " ")))


def cleaned(value: Any, key: str = "") -> Any:
    """A JSON value fit to leave; in ids and hashes secrets alone are redacted, as others have to find them again."""
    if isinstance(value, dict):
        return {redact(str(name)): cleaned(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item, key) for item in value]
    if isinstance(value, str):
        return redact(visible(value)) if _KEYS.search(key) else clean(value)
    return value


def redacted(error: BaseException) -> BaseException:
    """The error as it is if its message, causes and notes may leave; else one that says the same without the rest.

    The new error keeps the class of our own errors, and the traceback: it holds lines of code, and no values.
    """
    told = _told(error)
    if clean(told) == told:
        return error
    message = clean(error)
    own = isinstance(error, FeedbackControlError) and type(error).__init__ is FeedbackControlError.__init__
    anew: BaseException = type(error)(message) if own else RedactedError(f"{type(error).__name__}: {message}")
    anew.__suppress_context__ = True
    return anew.with_traceback(error.__traceback__)


@contextmanager
def redacted_errors() -> Iterator[None]:
    """Context that no exception leaves with more than it may say."""
    try:
        yield
    except Exception as error:
        clean = redacted(error)
        if clean is error:
            raise
        raise clean from None


class RedactedError(Exception):
    """An error of a library, told again without the secrets and personal data in its message."""


def _told(error: BaseException) -> str:
    """All that a traceback would say of an error besides lines of code."""
    said, seen = list[str](), set[int]()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        said += [str(following), *getattr(following, "__notes__", ())]
        if isinstance(following, BaseExceptionGroup):
            said += [_told(one) for one in following.exceptions]
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return "\n".join(said)


def finalized(value: Any) -> Any:
    """Jinja's ``finalize`` for pages: text is cleaned, markup of our own and numbers stay as they are."""
    return clean(value) if type(value) is str else value


def quiet_markdown(text: str) -> str:
    """Markdown of our own making, line by line through the door; images, HTML and script links have no effect.

    The zero-width spaces stay with which ``sanitize.py`` breaks links in it.
    """
    shown = UNSEEN.sub(lambda found: found.group() if found.group() == _BREAK else "", _ANSI.sub("", text))
    return _LIVE.sub(r"\\\g<0>", "\n".join(map(mask, redact(shown).split("\n"))))


class _Record(logging.LogRecord):
    """A log record whose message and exception went through the door."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.exc_info and self.exc_info[1] is not None:
            error = redacted(self.exc_info[1])
            self.exc_info = (type(error), error, error.__traceback__)

    def getMessage(self) -> str:
        """The message, fit to leave."""
        return clean(super().getMessage())


def install() -> None:
    """Put the door before all logging, warnings and uncaught exceptions of this process; once is enough."""
    if logging.getLogRecordFactory() is _Record:
        return
    logging.setLogRecordFactory(_Record)
    sys.excepthook = _report
    threading.excepthook = lambda told: _report(told.exc_type, told.exc_value, told.exc_traceback)
    plain = warnings.formatwarning
    warnings.formatwarning = lambda *args, **more: clean(plain(*args, **more))


def _report(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
    shown = redacted(error) if error else None
    lines = traceback.format_exception(type(shown) if shown else kind, shown, frames)
    sys.stderr.write(clean("".join(lines)))


class Terminal(io.TextIOBase):
    """A text stream that lets through what may leave, in whole lines so that nothing passes in two halves.

    ``styled`` is the same stream for Rich, which writes the colours itself: there, and only there, colours stay.
    """

    def __init__(self, stream: TextIO, *, keeps_style: bool = False) -> None:
        self._stream, self._keeps_style, self._waiting = stream, keeps_style, ""

    @property
    def styled(self) -> Terminal:
        """The stream for Rich."""
        return Terminal(self._stream, keeps_style=True)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream behind it; click asks."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """As the stream behind it; click asks."""
        return getattr(self._stream, "errors", None) or "strict"

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """As the stream behind it."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As the stream behind it."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write all whole lines; keep the rest until its end has come, or somebody flushes."""
        whole, newline, rest = (self._waiting + text).rpartition("\n")
        self._waiting = rest
        if newline:
            self._stream.write(self._passed(whole) + newline)
        return len(text)

    def close(self) -> None:
        """Leave the stream behind it open: it is not ours."""

    def flush(self) -> None:
        """Write what waits as well."""
        waiting, self._waiting = self._waiting, ""
        if waiting:
            self._stream.write(self._passed(waiting))
        self._stream.flush()

    def _passed(self, text: str) -> str:
        if not self._keeps_style:
            return clean(text)
        return "".join(part if _STYLE.fullmatch(part) else clean(part) for part in _STYLE.split(text))


@contextmanager
def terminal() -> Iterator[None]:
    """Let all that is written to stdout and stderr meanwhile go through the door."""
    out, err = Terminal(sys.stdout), Terminal(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield
        finally:
            out.flush()
            err.flush()
