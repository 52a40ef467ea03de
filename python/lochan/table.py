"""Table: a small list (status, runs, files, ...) that is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import polars
    import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]

    from lochan import _lochan

__all__ = ["Table"]

SHOWN_ROWS = 20


class Table:
    """Rows in memory, which print well and are Arrow for every library that reads it: `polars.DataFrame(table)`,
    `pyarrow.table(table)`, any number of times."""

    def __init__(self, rows: _lochan.Table, title: str = "", order: tuple[str, ...] = ()) -> None:
        self._rows = rows
        self._title = title
        self._order = order

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self._rows.column_names

    def __len__(self) -> int:
        return self._rows.num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._rows.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        return self._rows.__arrow_c_schema__()

    def rows(self) -> list[dict[str, Any]]:
        """The rows as plain Python values. Times with a zone are UTC; nanoseconds, which Python lacks, are cut off."""
        names = self.columns
        return [dict(zip(names, row)) for row in self._rows.values()]

    def to_polars(self) -> polars.DataFrame:
        import polars

        return polars.DataFrame(self)

    def to_arrow(self) -> pyarrow.Table:
        import pyarrow

        return pyarrow.table(self)

    def to_pandas(self) -> pandas.DataFrame:
        """By way of pyarrow."""
        return self.to_arrow().to_pandas()

    def _shown(self) -> tuple[str, list[str], list[list[Any]], int]:
        """Title, names, first rows and number of rows, columns in the order of interest."""
        names = self.columns
        order = [names.index(name) for name in self._order if name in names]
        order += [i for i in range(len(names)) if i not in order]
        rows = [[row[i] for i in order] for row in self._rows.values(SHOWN_ROWS)]
        return self._title, [names[i] for i in order], rows, len(self)

    def __repr__(self) -> str:
        from lochan import _show

        return _show.table_text(*self._shown())

    def _repr_html_(self) -> str:
        from lochan import _show

        return _show.table_html(*self._shown())
