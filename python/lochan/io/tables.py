"""Which run tables there are: the bundled ones, and those that were added to a lake."""

from __future__ import annotations

import os
from typing import Union

from lochan import _lochan
from lochan.io import _root
from lochan.io.config import IoSettings
from lochan.io.errors import IoSchemaError, of_lake, wrap
from lochan.io.names import TableName, table_name
from lochan.lake import RunTables
from lochan.table import Table

__all__ = ["add", "columns", "get", "list"]

Path = Union[str, "os.PathLike[str]"]


def _tables(settings: IoSettings | None, writing: bool = False) -> RunTables:
    root = _root.of(settings or IoSettings.load())
    return RunTables(root.for_writing() if writing else root.for_reading())


def add(what: Path, settings: IoSettings | None = None, *, replace: bool = False) -> None:
    """Adds a table to a lake, which is made if there is none: the path of a descriptor or its YAML text (run-tables.md).
    settings: whose lake; None for `IoSettings.load()`. replace: change the table of that name; its stored columns must fit."""
    try:
        _tables(settings, writing=True).add(what, replace)
    except _lochan.Error as e:
        if e.name == "EXISTS":
            raise wrap(IoSchemaError, e, "replace=True puts the new descriptor in its place") from e
        raise of_lake(e) from e


def list(settings: IoSettings | None = None) -> Table:
    """table, version, columns, bundled, added, rows, parts, bytes, description."""
    try:
        return _tables(settings).list()
    except _lochan.Error as e:
        raise of_lake(e) from e


def get(table: TableName | str, settings: IoSettings | None = None) -> str:
    """The descriptor of a table as YAML."""
    try:
        return _tables(settings).get(table_name(table))
    except _lochan.Error as e:
        raise of_lake(e) from e


def columns(table: TableName | str, settings: IoSettings | None = None) -> Table:
    """The columns of a table: column, type, required, nullable, open, values."""
    try:
        return _tables(settings).columns(table_name(table))
    except _lochan.Error as e:
        raise of_lake(e) from e
