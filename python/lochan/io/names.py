"""Names of tables and runs."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, NewType

from lochan import _lochan
from lochan.io.errors import of_lake

__all__ = ["SCHEMA_V", "RunId", "SchemaVersion", "TableName", "make_run_id"]

RunId = NewType("RunId", str)


class TableName(str, Enum):
    """The bundled tables. Others are added with `lochan.io.tables.add` and named by a str."""

    EXCHANGE = "exchange"
    IDENTITY_EDGES = "identity_edges"
    SCENARIOS_SEEN = "scenarios_seen"
    MESSAGES = "messages"
    DECISIONS = "decisions"
    ORACLE_CALLS = "oracle_calls"
    HOLDINGS = "holdings"
    HOLDINGS_VALUATION = "holdings_valuation"

    def __str__(self) -> str:
        return self.value


class SchemaVersion(NamedTuple):
    """Version of the bundled descriptors."""

    major: int
    minor: int
    date: str

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}@{self.date}"


SCHEMA_V = SchemaVersion(0, 1, "2025-09-20")


def make_run_id(prefix: str = "run") -> RunId:
    """A new id: the prefix, the time (UTC) and random digits."""
    try:
        return RunId(_lochan.make_run_id(prefix))
    except _lochan.Error as e:
        raise of_lake(e) from e


def table_name(table: TableName | str) -> str:
    return table.value if isinstance(table, Enum) else str(table)
