"""IoSettings: how and where run tables are written, from code, from the environment, or from a TOML file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from lochan.io.errors import IoConfigError, make

__all__ = ["IoSettings"]

CHOICES = {
    "partitioning": ("tick_buckets",),
    "compression": ("zstd", "lz4", "snappy"),
    "fs_protocol": ("file",),
    "durability": ("full", "normal"),
}
COUNTS = ("tick_bucket_size", "row_group_size", "write_manifest_every_n")
TRUE, FALSE = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")
FILES = (("lochan.toml", ("io",)), ("pyproject.toml", ("tool", "lochan", "io")))


@dataclass(frozen=True)
class IoSettings:
    """Settings of a `Dataset`. A value that makes no sense is an `IoConfigError`."""

    root_dir: str = "out"
    """The folder of the lake; relative ones to the current folder."""
    partitioning: Literal["tick_buckets"] = "tick_buckets"
    tick_bucket_size: int = 100
    """bucket = tick // tick_bucket_size; fixed by the first append of a run."""
    row_group_size: int = 131072
    compression: Literal["zstd", "lz4", "snappy"] = "zstd"
    fs_protocol: str = "file"
    fs_options: Mapping[str, Any] = field(default_factory=dict)
    strict_schema: bool = True
    """Columns that the table does not declare are refused; else they are stored."""
    write_manifest_every_n: int = 1
    """Has no effect: every append is visible at once, and costs the same."""
    durability: Literal["full", "normal"] = "full"
    """normal: a power cut may lose the last appends of a table, a killed process loses nothing."""

    def __post_init__(self) -> None:
        if isinstance(self.root_dir, os.PathLike):
            object.__setattr__(self, "root_dir", os.fspath(self.root_dir))
        for one in fields(self):
            _check(one.name, getattr(self, one.name), f"IoSettings: {one.name}")

    @classmethod
    def from_env(cls, base: IoSettings | None = None, prefix: str = "LOCHAN_IO_") -> IoSettings:
        """Environment variables (LOCHAN_IO_ROOT_DIR, ...) over `base` over the defaults. Empty ones count as not set;
        LOCHAN_IO_FS_OPTIONS is a JSON object."""
        values: dict[str, Any] = {}
        for variable, text in os.environ.items():
            if not variable.startswith(prefix) or not text:
                continue
            name, origin = variable[len(prefix) :].lower(), f"environment variable {variable}"
            _check_name(name, origin)
            values[name] = _parse(name, text, origin)
        return replace(base or cls(), **values)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str] | None = None) -> IoSettings:
        """[io] of ./lochan.toml, else [tool.lochan.io] of ./pyproject.toml, over the defaults; or one of these files under
        another path."""
        if path is None:
            found = [(name, keys) for name, keys in FILES if os.path.exists(name)]
        elif os.path.exists(path):
            found = [(os.fspath(path), FILES[1][1] if os.path.basename(path) == FILES[1][0] else FILES[0][1])]
        else:
            raise make(IoConfigError, f"{os.fspath(path)}: there is no such file")
        for name, keys in found:
            table = _read_table(name, keys)
            if table is not None:
                where = f"{name}, [{'.'.join(keys)}]"
                for key, value in table.items():
                    _check_name(key, where)
                    _check(key, value, f"{where} {key}")
                return cls(**table)
        return cls()

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> IoSettings:
        """The environment over a TOML file over the defaults."""
        return cls.from_env(cls.from_toml(path))


# --- values


def _check_name(name: str, origin: str) -> None:
    known = [one.name for one in fields(IoSettings)]
    if name in known:
        return
    import difflib

    near = difflib.get_close_matches(name, known, 1)
    raise make(IoConfigError, f"{origin}: there is no setting '{name}'", f"did you mean {near[0]}?" if near else "")


def _check(name: str, value: Any, origin: str) -> None:
    """A bad value is told with where it came from."""
    expected = None
    if name in CHOICES:
        if value not in CHOICES[name] or not isinstance(value, str):
            expected = " or ".join(CHOICES[name])
    elif name in COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 1 << 63:
            expected = "a whole number of at least 1"
    elif name == "strict_schema":
        expected = None if isinstance(value, bool) else "true or false"
    elif name == "fs_options":
        expected = None if isinstance(value, Mapping) else "a table of options"
    elif not isinstance(value, str) or not value or "\0" in value:
        expected = "a folder"
    if expected is not None:
        raise make(IoConfigError, f"{origin}: expected {expected}, got {value!r}")


def _parse(name: str, text: str, origin: str) -> Any:
    """The text of an environment variable as a value of the setting."""
    value: Any = text
    try:
        if name in COUNTS:
            value = int(text)
        elif name == "fs_options":
            value = json.loads(text)
        elif name == "strict_schema":
            value = True if text.strip().lower() in TRUE else False if text.strip().lower() in FALSE else text
        elif name in CHOICES:
            value = text.strip().lower()
    except ValueError:
        pass  # the check says what was expected
    _check(name, value, origin)
    return value


# --- files


def _read_table(name: str, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """One table of a TOML file; None if it is not there."""
    try:
        with open(name, "rb") as file:
            data = file.read()
    except OSError as e:
        raise make(IoConfigError, f"{name}: {e.strerror}") from e
    try:
        document: Any = _parse_toml(data.decode(), keys, name)
    except ValueError as e:  # of TOML, or of UTF-8
        if isinstance(e, IoConfigError):
            raise
        raise make(IoConfigError, f"{name}: {e}") from e
    for i, key in enumerate(keys):
        if not isinstance(document, dict):
            raise make(IoConfigError, f"{name}: [{'.'.join(keys[:i])}] is no table")
        if key not in document:
            return None
        document = document[key]
    if not isinstance(document, dict):
        raise make(IoConfigError, f"{name}: [{'.'.join(keys)}] is no table")
    return document


def _parse_toml(text: str, keys: tuple[str, ...], name: str) -> dict[str, Any]:
    try:
        import tomllib  # type: ignore[import-not-found,unused-ignore]  # Python 3.11
    except ImportError:
        return _scan_toml(text, keys, name)
    document: dict[str, Any] = tomllib.loads(text)
    return document


def _scan_toml(text: str, keys: tuple[str, ...], name: str) -> dict[str, Any]:
    """For Python 3.10, which cannot read TOML: the one table of plain values that matters here."""
    document: dict[str, Any] = {}
    table: dict[str, Any] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("["):
            path = tuple(part.strip() for part in line.strip("[]").split("."))
            table = document if path[: len(keys)] == keys else None
            for part in path if table is not None else ():
                assert table is not None
                table = table.setdefault(part, {})
        elif table is not None and line and not line.startswith("#"):
            key, _, value = (part.strip() for part in line.partition("="))
            try:
                if value.startswith("'") and value.endswith("'") and len(value) > 1:
                    table[key] = value[1:-1]
                else:
                    table[key] = json.loads(value if value.startswith('"') else value.partition("#")[0].replace("_", ""))
            except ValueError as e:
                raise make(IoConfigError, f"{name}, line {number}: '{key}' cannot be read by Python 3.10",
                           "use a plain value on one line, or Python 3.11") from e
    return document
