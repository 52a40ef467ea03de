"""The exceptions of `lochan.io`. Each is a `lochan.Error` and carries its fields; what it came from is its `__cause__`."""

from __future__ import annotations

from typing import TypeVar

from lochan import _lochan

__all__ = ["IoConfigError", "IoError", "IoManifestError", "IoSchemaError", "IoWriteError", "ManifestWarning"]

FIELDS = ("code", "name", "message", "hint", "file", "table", "column", "offset", "row", "line", "line_column", "sys_errno",
          "http_status", "exit_code", "retryable", "retry_after")
REBUILD = "Dataset.rebuild_manifest(table) makes it again"

# What is wrong with the rows, or with a name.
REFUSED = ("SCHEMA", "VALIDATION", "VALUE", "DATA", "SPEC")
# What only the catalog and the journal can fail with.
OF_CATALOG = ("CATALOG", "CONFLICT", "LOCKED", "STALE", "VERSION", "JOURNAL_AHEAD")


class IoError(_lochan.Error):
    """What every failure of `lochan.io` is."""

    kept: bool = False
    """Of an appender: the rows are buffered still, and are not to be given again."""


class IoConfigError(IoError, ValueError):
    """A setting that makes no sense; the message names where it came from."""


class IoSchemaError(IoError, ValueError):
    """Rows, a table or a run id that are refused. Nothing was written."""


class IoWriteError(IoError):
    """The parts could not be written. Nothing of the append is visible."""


class IoManifestError(IoError):
    """The catalog or its journal is missing, damaged, or could not be written."""


class ManifestWarning(UserWarning):
    """The catalog or some parts are not whole, and what was done about it."""


E = TypeVar("E", bound=IoError)


def wrap(kind: type[E], cause: _lochan.Error, hint: str | None = None) -> E:
    """`cause` as an exception of this module; to be raised from it."""
    error = kind(cause.message or str(cause))
    for field in FIELDS:
        setattr(error, field, getattr(cause, field))
    error.message = cause.message or str(cause)
    if hint is not None:
        error.hint = hint
    return error


def make(kind: type[E], message: str, hint: str = "") -> E:
    """One that Python code found."""
    code = {IoConfigError: "ArgumentError", IoSchemaError: "SchemaError", IoManifestError: "CatalogError"}.get(kind, "InternalError")
    cause = getattr(_lochan, code)
    error = kind(message)
    error.code, error.name, error.exit_code, error.message, error.hint = cause.code, cause.name, cause.exit_code, message, hint
    return error


def of_append(cause: _lochan.Error, stage: str | None) -> IoError:
    """Of an append that came as far as `stage` (None: not known)."""
    if isinstance(cause, IoError):
        return cause
    if cause.name in REFUSED:
        return wrap(IoSchemaError, cause)
    if cause.name == "INVALID_ARGUMENT":
        return wrap(IoConfigError, cause)
    if stage == "publish" or cause.name in OF_CATALOG:
        return wrap(IoManifestError, cause)
    return wrap(IoWriteError, cause)


def of_lake(cause: _lochan.Error) -> IoError:
    """Of opening a lake, or of asking its catalog."""
    if isinstance(cause, IoError):
        return cause
    if cause.name in REFUSED:
        return wrap(IoSchemaError, cause)
    hint = REBUILD if cause.name in ("CORRUPT", "CATALOG", "JOURNAL_AHEAD", "NOT_FOUND") else None
    return wrap(IoManifestError, cause, hint)


def of_read(cause: _lochan.Error) -> IoError:
    """Of reading rows: a part that is damaged is no fault of the catalog's."""
    if isinstance(cause, IoError):
        return cause
    kind = IoSchemaError if cause.name in REFUSED else IoManifestError if cause.name in OF_CATALOG else IoError
    return wrap(kind, cause)
