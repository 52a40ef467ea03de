"""Arguments of many methods: names of datasets, days, moments, specs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Union

from lochan import _lochan

if TYPE_CHECKING:
    import datetime

    Date = Union[str, datetime.date]
    Moment = Union[int, str, datetime.date, datetime.datetime]

Path = Union[str, "os.PathLike[str]"]
MAX_SPEC = 1 << 20


def names(name: str, source: str | None) -> tuple[str, str]:
    """("ecb", "fx_daily") of "fx_daily" with a source, or of "ecb/fx_daily"."""
    if source is not None:
        return source, name
    for separator in "/.":
        before, found, after = name.partition(separator)
        if found and before and after:
            return before, after
    raise _lochan.ArgumentError(f"of which source is '{name}'? give source=, or the name as SOURCE/DATASET")


def filters(name: str | None, source: str | None) -> tuple[str | None, str | None]:
    """The same where either may be left open."""
    return (source, None) if name is None else names(name, source)


def date(value: Date | None) -> str | None:
    return value if value is None or isinstance(value, str) else value.isoformat()


def moment(value: Moment | None) -> str | None:
    """The number of a snapshot, a tag, or a time: 2026-10-30, or 2026-10-30 12:00:00+02:00."""
    return None if value is None else str(value)


def text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def pairs(options: object) -> list[str]:
    """key=value of each item of a mapping."""
    return [f"{key}={text(value)}" for key, value in dict(options or {}).items()]  # type: ignore[call-overload]


def is_yaml(what: str) -> bool:
    """Names and paths have neither."""
    return "\n" in what or ": " in what


def is_path(what: object) -> bool:
    return not isinstance(what, str) or what.endswith((".yaml", ".yml"))


def read_spec(what: Path) -> tuple[str | bytes, str]:
    """A spec, from YAML text or from the path of a file, and what errors call it."""
    if isinstance(what, str) and is_yaml(what):
        return what, "the text given"
    with open(what, "rb") as file:
        return file.read(MAX_SPEC + 1), os.fspath(what)
