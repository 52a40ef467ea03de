"""A Scan as a LazyFrame: projection, limit and simple predicates go down into the scan.

A predicate of Polars is taken over as far as it compares columns with constants, in the words of docs/scan.md. What is not
understood is left to Polars, which applies the whole predicate again in any case; so all that matters here is that no row is
left out that Polars would keep.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

if TYPE_CHECKING:
    from lochan.scan import Scan

COMPARISONS = {"Eq": "=", "NotEq": "!=", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">="}
TURNED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
MAX_IN = 1000


class Unknown(Exception):
    """A part of a predicate that is left to Polars."""


# --- constants


def _constant(node: Any) -> Any:
    """The value of an expression without columns, worked out by Polars."""
    if not _is_constant(node):
        raise Unknown
    frame = pl.select(pl.Expr.deserialize(json.dumps(node).encode(), format="json"))
    if frame.shape != (1, 1):
        raise Unknown
    value = frame.item()
    inner = value.dtype if isinstance(value, pl.Series) else frame.dtypes[0]
    if isinstance(inner, pl.Datetime) and inner.time_unit == "ns":
        raise Unknown  # Python would cut nanoseconds off
    return value.to_list() if isinstance(value, pl.Series) else value


def _is_constant(node: Any) -> bool:
    if not isinstance(node, dict) or len(node) != 1:
        return False
    (kind, inside), = node.items()
    if kind == "Alias":
        return _is_constant(inside[0])
    if kind == "Cast":
        return _is_constant(inside["expr"])
    return bool(kind == "Literal")


def _literal(value: Any, dtype: pl.DataType) -> str:
    """A constant in the words of `where`, if it compares with a column of that type as in Polars."""
    if isinstance(value, bool) or value is None:
        raise Unknown
    # With a float32 column Polars rounds the constant first, and large integers with a float64 one.
    if isinstance(value, int) and (dtype.is_integer() or (dtype == pl.Float64 and abs(value) <= 1 << 53)):
        return str(value)
    if isinstance(value, float) and dtype == pl.Float64 and math.isfinite(value):
        return repr(value)
    if isinstance(value, str) and dtype == pl.String and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    if type(value) is datetime.date and dtype == pl.Date and value.year >= 1000:
        return f"'{value.isoformat()}'"
    if isinstance(value, datetime.datetime) and isinstance(dtype, pl.Datetime) and value.year >= 1000:
        if (value.tzinfo is None) == (dtype.time_zone is None) and (not value.tzinfo or dtype.time_zone == "UTC"):
            naive = value if value.tzinfo is None else value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
            return f"'{naive.isoformat(' ')}'"
    raise Unknown


# --- predicates


def _column(node: Any, schema: dict[str, pl.DataType]) -> tuple[str, pl.DataType]:
    name = node.get("Column") if isinstance(node, dict) else None
    if not isinstance(name, str) or name not in schema:
        raise Unknown
    return '"' + name.replace('"', '""') + '"', schema[name]


def _compare(name: str, operator: str, value: Any, dtype: pl.DataType) -> str:
    literal = _literal(value, dtype)
    if dtype.is_float() and operator in (">", ">="):
        # To Polars NaN is above every number, to `where` it is not.
        return f"not ({name} {'<=' if operator == '>' else '<'} {literal})"
    return f"{name} {operator} {literal}"


def _comparison(node: Any, schema: dict[str, pl.DataType]) -> str:
    operator = COMPARISONS.get(node["op"])
    if operator is None:
        raise Unknown
    try:
        name, dtype = _column(node["left"], schema)
        return _compare(name, operator, _constant(node["right"]), dtype)
    except Unknown:
        name, dtype = _column(node["right"], schema)
        return _compare(name, TURNED[operator], _constant(node["left"]), dtype)


def _between(node: Any, closed: str, schema: dict[str, pl.DataType]) -> str:
    name, dtype = _column(node[0], schema)
    low = ">=" if closed in ("Both", "Left") else ">"
    high = "<=" if closed in ("Both", "Right") else "<"
    ends = _compare(name, low, _constant(node[1]), dtype), _compare(name, high, _constant(node[2]), dtype)
    return f"({ends[0]} and {ends[1]})"


def _is_in(node: Any, schema: dict[str, pl.DataType]) -> str:
    name, dtype = _column(node[0], schema)
    values = _constant(node[1])
    if not isinstance(values, list) or not 0 < len(values) <= MAX_IN:
        raise Unknown
    return f"{name} in ({', '.join(_literal(value, dtype) for value in values)})"


def _function(node: Any, schema: dict[str, pl.DataType]) -> str:
    what, inputs = node["function"], node["input"]
    what = what.get("Boolean") if isinstance(what, dict) else None
    if what == "Not":
        return f"not ({_exact(inputs[0], schema)})"
    if what in ("IsNull", "IsNotNull"):
        return f"{_column(inputs[0], schema)[0]} is {'not ' if what == 'IsNotNull' else ''}null"
    if isinstance(what, dict) and "IsBetween" in what:
        return _between(inputs, what["IsBetween"]["closed"], schema)
    if isinstance(what, dict) and "IsIn" in what and not what["IsIn"].get("nulls_equal"):
        return _is_in(inputs, schema)
    raise Unknown


def _exact(node: Any, schema: dict[str, pl.DataType]) -> str:
    """A predicate with exactly the meaning of `node`, or Unknown."""
    (kind, inside), = node.items()
    if kind == "Alias":
        return _exact(inside[0], schema)
    if kind == "Function":
        return _function(inside, schema)
    if kind != "BinaryExpr":
        raise Unknown
    if inside["op"] in ("And", "Or", "LogicalAnd", "LogicalOr"):
        word = "and" if inside["op"].endswith("And") else "or"
        return f"({_exact(inside['left'], schema)} {word} {_exact(inside['right'], schema)})"
    return _comparison(inside, schema)


def _implied(node: Any, schema: dict[str, pl.DataType]) -> list[str]:
    """Predicates that hold wherever `node` does: of `a and b`, those of either side that are understood."""
    inside = node.get("BinaryExpr", {}) if isinstance(node, dict) else {}
    if inside.get("op") in ("And", "LogicalAnd"):
        return _implied(inside["left"], schema) + _implied(inside["right"], schema)
    try:
        return [_exact(node, schema)]
    except Exception:  # the form of serialised expressions is Polars' own and may change
        return []


def where(predicate: pl.Expr, schema: dict[str, pl.DataType]) -> str | None:
    """As much of a predicate as `where` can say; None for nothing."""
    try:
        node = json.loads(predicate.meta.serialize(format="json"))
    except Exception:  # an expression with a Python function has no such form
        return None
    return " and ".join(f"({part})" for part in _implied(node, schema)) or None


# --- the frame


def lazy(scan: Scan) -> pl.LazyFrame:
    schema = dict(pl.DataFrame(scan._peek(0)).schema)

    def read(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        # A scan with a limit takes its rows first and filters then; so does Polars, if it gives both.
        pushed = None if predicate is None or n_rows is not None or scan._limit is not None else where(predicate, schema)
        limit = min((n for n in (n_rows, scan._limit) if n is not None), default=None)
        both = f"({scan._where}) and {pushed}" if scan._where and pushed else pushed
        columns = None if with_columns is None else with_columns or list(schema)[:1]
        for batch in scan._open(columns=columns, where=both, limit=limit, batch_rows=batch_size or 0):
            frame = pl.DataFrame(batch)
            if predicate is not None:
                frame = frame.filter(predicate)
            yield frame if with_columns is None else frame.select(with_columns)

    return register_io_source(read, schema=schema)
