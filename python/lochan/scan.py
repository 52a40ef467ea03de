"""Scan: rows of a dataset, or of runs, that are read when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from lochan.reports import ScanStats
from lochan.table import Table

if TYPE_CHECKING:
    import duckdb
    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import polars
    import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]

    from lochan import _lochan

__all__ = ["Rows", "Scan"]

T = TypeVar("T")
PREVIEW_ROWS = 10


class Rows:
    """Rows that are read when somebody asks for them, each time anew: `rows.to_polars()`, `polars.DataFrame(rows)`,
    `pyarrow.table(rows)`, `for batch in rows`."""

    def __init__(self, read: Callable[[], _lochan.ScanStream], title: str) -> None:
        self._read = read
        self._name = title
        self._read().release()  # what is wrong with the arguments is told now

    def _open(self) -> _lochan.ScanStream:
        """A new reading."""
        return self._read()

    def _convert(self, consumer: Callable[[Any], T]) -> T:
        """Errors on the way are ours, whatever the consumer makes of them."""
        rows = self._open()
        try:
            return consumer(rows)
        except Exception:
            rows.check()
            raise

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._open().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        return self._open().__arrow_c_schema__()

    def batches(self) -> _lochan.Batches:
        """Batch by batch, in bounded memory. Each is Arrow: `pyarrow.record_batch(batch)`, `polars.DataFrame(batch)`."""
        return iter(self._open())

    def __iter__(self) -> _lochan.Batches:
        return self.batches()

    def to_polars(self) -> polars.DataFrame:
        import polars

        return self._convert(polars.DataFrame)

    def to_arrow(self) -> pyarrow.Table:
        import pyarrow

        return self._convert(pyarrow.table)

    def to_pandas(self) -> pandas.DataFrame:
        """By way of pyarrow."""
        return self.to_arrow().to_pandas()

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """A relation of DuckDB over the rows, which are read now."""
        import duckdb

        return duckdb.from_arrow(self.to_arrow(), connection=connection or duckdb.default_connection())

    def to_table(self) -> Table:
        """All rows in memory, without any other package; see `Table.rows`."""
        return Table(self._open().table())

    def rows(self) -> list[dict[str, Any]]:
        """All rows as dicts; for small results."""
        return self.to_table().rows()

    def _title(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<lochan.{type(self).__name__}: {self._title()}>"


class Scan(Rows):
    """Rows of one snapshot of one table. Nothing is read before somebody asks, and each time it is read anew:
    `scan.to_polars()`, `scan.lazy()`, `polars.DataFrame(scan)`, `pyarrow.table(scan)`, `for batch in scan`."""

    def __init__(
        self,
        scan: Callable[..., _lochan.ScanStream],
        title: str,
        columns: Any,
        where: str | None,
        limit: int | None,
        as_of: str | None,
    ) -> None:
        self._scan = scan
        self._name = title
        self._columns = columns
        self._where = where
        self._limit = limit
        self._as_of = as_of
        # What is wrong with the arguments is told now, and the snapshot stays this one.
        self._last = self._open()
        if self.snapshot_id > 0:
            self._as_of = str(self.snapshot_id)
        self._last.release()

    def _peek(self, limit: int) -> _lochan.ScanStream:
        """The first rows, which do not count as a reading."""
        last = self._last
        try:
            return self._open(limit=limit)
        finally:
            self._last = last

    def _open(
        self,
        columns: list[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        batch_rows: int = 0,
    ) -> _lochan.ScanStream:
        """A new reading; what is given narrows the scan."""
        limit = self._limit if limit is None else limit
        self._last = self._scan(
            columns=self._columns if columns is None else columns,
            where=where or self._where,
            limit=-1 if limit is None else limit,
            as_of=self._as_of,
            batch_rows=batch_rows,
        )
        return self._last

    @property
    def snapshot_id(self) -> int:
        """The snapshot that is read."""
        return self._last.stats[0]

    @property
    def stats(self) -> ScanStats:
        """What the newest reading did so far, also one by way of `lazy`."""
        return ScanStats(*self._last.stats)

    def __arrow_c_schema__(self) -> Any:
        return self._peek(0).__arrow_c_schema__()

    def batches(self, rows: int | None = None) -> _lochan.Batches:
        """Batch by batch, in bounded memory. rows: at most so many a batch (default 131,072). Each is Arrow:
        `pyarrow.record_batch(batch)`, `polars.DataFrame(batch)`."""
        return iter(self._open(batch_rows=rows or 0))

    def lazy(self) -> polars.LazyFrame:
        """A LazyFrame that reads what a query needs: its columns, its first rows, and of its predicates those that compare
        a column with a constant. Polars applies all of them again."""
        from lochan import _polars

        return _polars.lazy(self)

    def _title(self) -> str:
        parts = [self._name, *([f"snapshot {self._as_of}"] if self._as_of else [])]
        parts += [f"columns {', '.join(self._columns)}"] if self._columns else []
        parts += [f"where {self._where}"] if self._where else []
        parts += [f"limit {self._limit:,}"] if self._limit is not None else []
        return ", ".join(parts)

    def _repr_html_(self) -> str:
        limit = PREVIEW_ROWS if self._limit is None else min(self._limit, PREVIEW_ROWS)
        return Table(self._peek(limit).table(), f"{self._title()}: the first rows")._repr_html_()
