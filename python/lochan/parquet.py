"""Parquet files, without a lake.

    import lochan, polars as pl
    rows = lochan.parquet.read("prices.parquet", columns=["day", "close"], where="close > 100")
    frame = pl.DataFrame(rows)                       # or pyarrow.table(rows), duckdb.from_arrow(...)
    lochan.parquet.write(frame, "expensive.parquet", compression="zstd", level=3)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lochan import _lochan

__all__ = ["Rows", "Listing", "VerifyReport", "read", "write", "verify"]

Source = str | bytes | os.PathLike[str]


class Listing:
    """A small table, as an Arrow stream: `polars.DataFrame(x)`, `pyarrow.table(x)`."""

    def __init__(self, capsule: Any, name: str) -> None:
        self._capsule = capsule
        self._name = name

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        capsule, self._capsule = self._capsule, None
        if capsule is None:
            raise ValueError(f"the list of {self._name} was consumed; ask for it again")
        return capsule

    def __repr__(self) -> str:
        return f"<lochan.parquet.Listing: {self._name}>"


class Rows:
    """Rows of a Parquet file that are read when somebody asks for them: `pyarrow.table(rows)`, `polars.DataFrame(rows)`,
    `for batch in rows`. Each time they are read anew. The file stays open until `close` or the end of a `with` block."""

    def __init__(self, reader: _lochan.ParquetReader, name: str, scan: dict[str, Any]) -> None:
        self._reader = reader
        self._name = name
        self._scan = scan
        reader.stream(**scan)  # what is wrong with the arguments is told now

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._reader.stream(**self._scan)

    def __arrow_c_schema__(self) -> Any:
        return self._reader.schema(**self._scan)

    def __iter__(self) -> Iterator[_lochan.Batch]:
        return self._reader.batches(**self._scan)

    @property
    def info(self) -> dict[str, Any]:
        """Of the whole file: rows, row_groups, columns, leaf_columns, version, file_bytes, footer_bytes, created_by."""
        return self._reader.info()

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata of the footer."""
        return self._reader.metadata()

    def columns(self) -> Listing:
        """One row a leaf column: type, physical and logical type, codecs, encodings, nulls, min, max, sizes."""
        return Listing(self._reader.list("columns"), "columns")

    def row_groups(self) -> Listing:
        """One row a row group: rows, sizes, offset, sorting."""
        return Listing(self._reader.list("row_groups"), "row groups")

    def chunks(self) -> Listing:
        """One row a column of a row group, with its statistics."""
        return Listing(self._reader.list("chunks"), "chunks")

    @property
    def counters(self) -> dict[str, int]:
        """What was done so far: bytes_read, pages_decoded, row_groups_read, row_groups_pruned."""
        return self._reader.counters()

    def close(self) -> None:
        """Closes the file. Streams that others hold go on."""
        self._reader.close()

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._reader.closed:
            return f"<lochan.parquet.Rows: {self._name}, closed>"
        info = self._reader.info()
        asked = "".join(f", {key}={value!r}" for key, value in self._scan.items() if key in ("columns", "where") and value)
        return f"<lochan.parquet.Rows: {self._name}, {info['rows']:,} rows, {info['columns']} columns{asked}>"


def read(
    source: Source,
    columns: Iterable[str] | None = None,
    where: str | None = None,
    batch_rows: int | None = None,
    *,
    limit: int | None = None,
    row_groups: Iterable[int] | None = None,
    rows: Iterable[tuple[int, int]] | None = None,
    strings: str = "string",
    arrow_schema: bool = True,
    mapped: bool = False,
    threads: int | None = None,
    memory_limit: int | None = None,
    max_page_bytes: int | None = None,
) -> Rows:
    """Opens a Parquet file (a path, or bytes that hold one); rows are read when they are asked for.

    columns: these, in this order; None for all. Also fields of nested columns: "a.b" of a struct or of the structs in a list,
    "a.value" of a map; nothing else of the column is read. where: rows to keep, such as "close > 100 and name in ('a', 'b')"; its
    columns need not be among `columns`; what the statistics exclude is not read. batch_rows: at most so many rows a batch
    (default 131,072). rows: ranges (from, to) of row numbers of the file, to not included, ascending and apart; of the others
    no more than a page is read. strings: "string" (or as the file's writer had it), "large_string", "string_view" (views of the
    pages as they were unpacked, which nobody copies) or "dictionary".
    arrow_schema: False takes types from the Parquet schema alone, where a file also has the Arrow schema it was written from
    (durations, zones, dictionaries, layouts). mapped: maps the file instead of reading it; if somebody cuts it off meanwhile, the
    process may end with SIGBUS (replacing it is fine). threads: None for one a processor. memory_limit: bytes for pages under
    way. max_page_bytes: a few bytes of brotli can stand for a page of any size; larger ones than this (default 16 MiB) that
    are packed more than 4096 times are refused.
    """
    reader = _lochan.ParquetReader(
        source,
        strings=strings,
        threads=threads or 0,
        memory_limit=memory_limit or 0,
        arrow_schema=arrow_schema,
        mapped=mapped,
        max_page_bytes=max_page_bytes or 0,
    )
    scan: dict[str, Any] = {
        "columns": None if columns is None else columns if isinstance(columns, str) else list(columns),
        "where": where,
        "row_groups": None if row_groups is None else list(row_groups),
        "batch_rows": batch_rows or 0,
        "limit": -1 if limit is None else limit,
        "rows": None if rows is None else [tuple(pair) for pair in rows],
    }
    name = f"{len(source)} bytes" if isinstance(source, bytes) else os.fspath(source)
    return Rows(reader, name, scan)


def write(
    data: Any,
    path: str | os.PathLike[str],
    compression: str = "zstd",
    level: int | None = None,
    row_group_rows: int | None = None,
    encodings: Mapping[str, str] | None = None,
    *,
    row_group_bytes: int | None = None,
    page_bytes: int | None = None,
    page_rows: int | None = None,
    metadata: Mapping[str, str] | None = None,
    sorting: Sequence[str] | None = None,
    dictionary: bool = True,
    statistics: bool = True,
    checksums: bool = True,
    page_index: bool = True,
    page_version: int = 1,
    bloom: Iterable[str] | None = None,
    max_statistics_bytes: int | None = None,
    arrow_schema: bool = True,
    overwrite: bool = True,
    sync: bool = True,
    threads: int | None = None,
    memory_limit: int | None = None,
) -> int:
    """Writes rows of anything with `__arrow_c_stream__` or `__arrow_c_array__` to a Parquet file; returns how many.

    The file appears under its name only when it is whole (and, with sync, durable); a failure or Ctrl-C leaves what was there
    before. encodings: leaf column ("price", "tags.list.element") to "auto", "plain", "dictionary", "delta_binary_packed", "delta_length_byte_array",
    "delta_byte_array" or "byte_stream_split". sorting: columns by which the rows are sorted already, "-name" for descending;
    recorded for readers. bloom: leaf columns that get a Bloom filter. max_statistics_bytes: longest text bound, cut at a
    character (default 64). arrow_schema: False leaves out the key ARROW:schema, by which Arrow libraries know types that Parquet
    has not.
    """
    if page_version not in (1, 2):
        raise _lochan.ArgumentError(f"page_version: expected 1 or 2, got {page_version!r}")
    return _lochan.write_parquet(
        data,
        path,
        compression=compression,
        level=level or 0,
        row_group_rows=row_group_rows or 0,
        row_group_bytes=row_group_bytes or 0,
        page_bytes=page_bytes or 0,
        page_rows=page_rows or 0,
        encodings=encodings,
        metadata=metadata,
        sorting=sorting,
        dictionary=dictionary,
        statistics=statistics,
        crc=checksums,
        page_index=page_index,
        page_v2=page_version == 2,
        overwrite=overwrite,
        sync=sync,
        threads=threads or 0,
        memory_limit=memory_limit or 0,
        bloom=None if bloom is None else bloom if isinstance(bloom, str) else list(bloom),
        max_statistics_bytes=max_statistics_bytes or 0,
        arrow_schema=arrow_schema,
    )


class VerifyReport(NamedTuple):
    """What `verify` found. It is true if nothing is wrong."""

    rows: int
    chunks: int
    pages: int
    pages_without_crc: int
    bytes_read: int
    problems: int
    details: Listing
    """kind, row_group, column, offset, detail of each problem."""

    def __bool__(self) -> bool:
        return self.problems == 0


def verify(path: str | os.PathLike[str]) -> VerifyReport:
    """Reads every page of a file: checksums, encodings, text, statistics. Damage is in the report, not an exception."""
    report, problems = _lochan.verify_parquet(path)
    return VerifyReport(**report, details=Listing(problems, "problems"))
