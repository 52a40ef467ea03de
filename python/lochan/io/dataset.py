"""Dataset: one run's tables, to append to and to read.

    from lochan.io import Dataset, IoSettings, make_run_id
    run = Dataset(IoSettings(root_dir="out"), make_run_id())
    run.append("holdings", frame)
    run.scan("holdings", where={"tick_min": 0, "tick_max": 99}).collect()
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lochan import _lochan
from lochan.io import _root
from lochan.io.config import IoSettings
from lochan.io.errors import (
    REBUILD,
    IoConfigError,
    IoManifestError,
    IoSchemaError,
    ManifestWarning,
    make,
    of_append,
    of_lake,
    of_read,
    wrap,
)
from lochan.io.manifest import TableManifest, from_rows
from lochan.io.names import RunId, TableName, table_name
from lochan.scan import Scan

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Appender", "Dataset", "scan_runs"]

DURABILITY = {"full": 0, "normal": 1}
HIGHEST = (1 << 63) - 1


# --- arguments


def _tick(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise make(IoSchemaError, f"where: expected a whole number as {name}, got {value!r}")
    try:
        return int(value) if isinstance(value, float) else value.__index__()
    except (AttributeError, TypeError):
        raise make(IoSchemaError, f"where: expected a whole number as {name}, got {value!r}") from None


def ticks(where: Mapping[str, Any] | None) -> dict[str, Any]:
    """The bounds of `where`, both included; those outside of int64 as what they mean."""
    for key in where or {}:
        if key not in ("tick_min", "tick_max"):
            raise make(IoSchemaError, f"where: there is no bound '{key}'", "tick_min and tick_max are known")
    low, high = (_tick(name, (where or {}).get(name)) for name in ("tick_min", "tick_max"))
    if (low is not None and low > HIGHEST) or (high is not None and high < 0):
        return {"tick_min": HIGHEST, "tick_max": 0}  # no row
    return {"tick_min": None if low is None or low <= 0 else low, "tick_max": None if high is None or high > HIGHEST else high}


def _limit(limit: int | None) -> int:
    if limit is None:
        return -1
    if isinstance(limit, bool) or not hasattr(limit, "__index__") or limit < 0:
        raise make(IoSchemaError, f"limit: expected a number of rows, got {limit!r}")
    return min(limit.__index__(), HIGHEST)


def _is_empty(rows: Any) -> bool:
    """Whether it is known to have no rows; a stream does not tell."""
    try:
        return len(rows) == 0
    except TypeError:
        return False


def _empty(table: str) -> pl.DataFrame:
    """No rows of a bundled table."""
    import polars as pl

    return pl.DataFrame(_lochan.table_empty(table))


# --- one run


class Dataset:
    """One run, in the folder that the settings name. Making one touches no file; the lake and the run come into being with
    the first append. May be used from several threads, and sent to another process."""

    def __init__(self, settings: IoSettings, run_id: RunId) -> None:
        self.settings = settings
        self.run_id = run_id
        self._root: _root.Root | None = None
        self._opened: tuple[_lochan.Lake, _lochan.Run] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Dataset, (self.settings, self.run_id)

    # --- the lake

    def _lake_root(self) -> _root.Root:
        if self._root is None:
            self._root = _root.of(self.settings)
        return self._root

    def _run_of(self, lake: _lochan.Lake) -> _lochan.Run:
        opened = self._opened
        if opened is None or opened[0] is not lake:
            s = self.settings
            opened = lake, _lochan.Run(lake, self.run_id, tick_bucket_size=s.tick_bucket_size, row_group_size=s.row_group_size,
                                       compression=s.compression)
            self._opened = opened
        return opened[1]

    def _check_names(self, table: str) -> None:
        """Without a lake."""
        try:
            _lochan.do("check_run_id", self.run_id)
            _lochan.text("bundled_table", table)
        except _lochan.Error as e:
            raise of_lake(e) from e

    def _for_writing(self, table: str) -> _lochan.Run:
        if self._lake_root().for_reading() is None:
            self._check_names(table)  # before a lake is made for nothing
        lake = self._lake_root().for_writing()
        try:
            return self._run_of(lake)
        except _lochan.Error as e:
            raise of_lake(e) from e

    def _for_reading(self, table: str) -> _lochan.Run | None:
        """None: nothing was ever appended here."""
        lake = self._lake_root().for_reading()
        if lake is None:
            self._check_names(table)
            if self._lake_root().has_parts(self.run_id, table):
                raise make(IoManifestError, f"run {self.run_id}, table {table}: there are parts, but neither lake.db nor a journal",
                           REBUILD)
            return None
        try:
            return self._run_of(lake)
        except _lochan.Error as e:
            raise of_lake(e) from e

    # --- writing

    def append(
        self,
        table: TableName | str,
        df: pl.DataFrame,
        *,
        validate_schema: bool = True,
        validate_rows: bool = False,
    ) -> dict[str, Any]:
        """Appends a frame (or anything with an Arrow stream) as one commit: all of it becomes visible, or nothing.

        It needs `tick`; `bucket` is computed. validate_schema: required columns must be there, and others must not be, unless
        settings.strict_schema is off. validate_rows: also checks the values and rules that the descriptor lists.

        Returns table, run_id, parts (a dict each: bucket_id, path, rows, bytes, tick_min, tick_max), rows, buckets. A frame
        without rows changes nothing. `IoSchemaError`: the rows, the table or the run id are refused. `IoWriteError`: the parts
        could not be written. `IoManifestError`: they could not be published. In each case nothing was appended.
        """
        return self._append(table, df, validate_schema, validate_rows, None)[0]

    def append_once(
        self,
        table: TableName | str,
        df: pl.DataFrame,
        token: str,
        *,
        validate_schema: bool = True,
        validate_rows: bool = False,
    ) -> dict[str, Any]:
        """`append`, for a job that may be run again: if a commit with this token is in the lake already, nothing is written
        and the summary has rows 0. `DataLake.commit_status` tells a token's fate."""
        return self._append(table, df, validate_schema, validate_rows, token)[0]

    def _append(
        self, table: TableName | str, df: Any, validate_schema: bool, validate_rows: bool, token: str | None
    ) -> tuple[dict[str, Any], bool]:
        name = table_name(table)
        done: dict[str, Any] = {"rows": 0, "parts": [], "buckets": [], "repeated": False}
        if _is_empty(df):
            self._columns(name)  # there is such a table, and the run id is one
        else:
            run = self._for_writing(name)
            done.clear()
            try:
                run.append(done, name, df, skip_schema=not validate_schema, validate_rows=validate_rows,
                           not_strict=not self.settings.strict_schema, durability=DURABILITY[self.settings.durability], token=token)
            except _lochan.Error as e:
                raise of_append(e, done.get("stage")) from e
            for part in done["parts"]:
                part["path"] = os.path.join(self.settings.root_dir, part["path"])
        summary = {"table": name, "run_id": self.run_id, "parts": done["parts"], "rows": done["rows"], "buckets": done["buckets"]}
        return summary, done["repeated"]

    def appender(
        self,
        table: TableName | str,
        *,
        rows: int | None = None,
        bytes: int | None = None,
        ticks: int | None = None,
        validate_schema: bool = True,
        validate_rows: bool = False,
    ) -> Appender:
        """Collects small appends into few parts; see `Appender`. Flushed at so many rows (default 100,000), at so many bytes
        of memory (default an eighth of the lake's), or when they span so many ticks."""
        name = table_name(table)
        for what, value in (("rows", rows), ("bytes", bytes), ("ticks", ticks)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= HIGHEST):
                raise make(IoConfigError, f"{what}: expected a whole number of at least 1, got {value!r}")
        run = self._for_writing(name)
        try:
            opened = run.appender(name, rows=rows or 0, bytes=bytes or 0, ticks=ticks or 0, skip_schema=not validate_schema,
                                  validate_rows=validate_rows, not_strict=not self.settings.strict_schema,
                                  durability=DURABILITY[self.settings.durability])
        except _lochan.Error as e:
            raise of_append(e, None) from e
        return Appender(self, name, opened)

    # --- reading

    def _columns(self, table: str) -> None:
        """Raises for an unknown table."""
        run = self._for_reading(table)
        if run is not None:
            try:
                run.manifest(table)
            except _lochan.Error as e:
                raise of_lake(e) from e

    def stream(
        self,
        table: TableName | str,
        where: Mapping[str, Any] | None = None,
        *,
        columns: Iterable[str] | None = None,
        filter: str | None = None,
        limit: int | None = None,
        as_of: int | str | None = None,
    ) -> Scan:
        """Rows for any library, or none: `.to_arrow()`, `.to_pandas()`, `.to_duckdb()`, `.batches()`, `.rows()`. filter:
        rows to keep, as in `DataLake.scan(where=)`. as_of: a snapshot or a time. `IoManifestError` if there is no lake yet."""
        name, bounds = table_name(table), ticks(where)
        run = self._for_reading(name)
        if run is None:
            raise make(IoManifestError, f"{self._lake_root().path}: nothing was appended here yet")
        return open_scan(run.scan, f"run {self.run_id}, {name}", name, bounds, columns, filter, limit, as_of)

    def scan(self, table: TableName | str, where: dict[str, Any] | None = None) -> pl.LazyFrame:
        """A LazyFrame over the rows that are there now; where: {"tick_min": int | None, "tick_max": int | None}, both
        included. The columns, the first rows and the predicates of a query go down into files, row groups and pages."""
        name, bounds = table_name(table), ticks(where)
        run = self._for_reading(name)
        if run is None:
            return _empty(name).lazy()
        return lazy(open_scan(run.scan, f"run {self.run_id}, {name}", name, bounds))

    def read(
        self,
        table: TableName | str,
        where: dict[str, Any] | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:
        """The rows that are there now, the first `limit` of them; where as in `scan`. What the run does not have reads as a
        frame without rows."""
        import polars as pl

        name, bounds, most = table_name(table), ticks(where), _limit(limit)
        run = self._for_reading(name)
        if run is None:
            return _empty(name)
        try:
            rows = run.scan(name, limit=most, **bounds)
            try:
                return pl.DataFrame(rows)
            except Exception:
                rows.check()  # ours, whatever became of it on the way
                raise
        except _lochan.Error as e:
            raise of_read(e) from e

    # --- the manifest

    def manifest(self, table: TableName | str) -> TableManifest | None:
        """The parts that the run has in a table; None if it has none."""
        name = table_name(table)
        run = self._for_reading(name)
        if run is None:
            return None
        rows = self._manifest_rows(run, name)
        return from_rows(name, rows) if rows else None

    def _manifest_rows(self, run: _lochan.Run, table: str) -> list[dict[str, Any]]:
        try:
            listed = run.manifest(table)
            names = listed.column_names
            return [dict(zip(names, row)) for row in listed.values()]
        except _lochan.Error as e:
            raise of_lake(e) from e

    def rebuild_manifest(self, table: TableName | str) -> TableManifest:
        """Makes catalog and files agree. Where lake.db is gone or damaged, the whole lake is made again from its journal;
        then each part of the run in this table is read, and its rows, bytes and ticks are counted. A part that is damaged is
        left out, with a `ManifestWarning` that names it. A tree of the Python original is taken over."""
        name, root = table_name(table), self._lake_root()
        root.let_go()
        self._opened = None
        try:
            report, problems = _lochan.run_rebuild(root.path, self.run_id, name, tick_bucket_size=self.settings.tick_bucket_size)
        except _lochan.Error as e:
            raise wrap(IoSchemaError if of_lake(e).__class__ is IoSchemaError else IoManifestError, e) from e
        if problems.num_rows:
            names = problems.column_names
            first = [dict(zip(names, row)) for row in problems.values(10)]
            told = "; ".join(f"{row['path']}: {row['kind']}, {row['detail']}" for row in first)
            more = f" (and {problems.num_rows - len(first):,} more)" if problems.num_rows > len(first) else ""
            warnings.warn(f"run {self.run_id}, table {name}: {report['parts_damaged']:,} damaged parts left out: {told}{more}",
                          ManifestWarning, stacklevel=2)
        run = self._for_reading(name)
        return from_rows(name, [] if run is None else self._manifest_rows(run, name))

    # --- the run

    def describe(
        self, parameters: Mapping[str, Any] | None = None, *, seed: object = None, code_version: str | None = None
    ) -> None:
        """Notes what the run is about; None leaves what is there. parameters: anything that JSON can say."""
        try:
            text = None if parameters is None else json.dumps(parameters, allow_nan=False)
        except (TypeError, ValueError) as e:
            raise make(IoSchemaError, f"parameters: {e}") from e
        try:
            _lochan.do("check_run_id", self.run_id)
            self._run_of(self._lake_root().for_writing()).describe(text, None if seed is None else str(seed), code_version)
        except _lochan.Error as e:
            raise of_append(e, "publish") from e

    def info(self) -> dict[str, Any]:
        """What is known of the run: created_at, tick_bucket_size, parameters, seed, code_version, and its tables with their
        parts. `IoManifestError` (code NOT_FOUND) if nobody knows it."""
        lake = self._lake_root().for_reading()
        if lake is None:
            raise make(IoManifestError, f"{self._lake_root().path}: there is no run '{self.run_id}'")
        try:
            return dict(json.loads(lake.text("run", self.run_id)))
        except _lochan.Error as e:
            raise of_lake(e) from e

    def delete(self) -> int:
        """Removes all rows of the run from all tables, in one commit; returns the number of parts. The files go with the
        retention of the lake."""
        lake = self._lake_root().for_reading()
        if lake is None:
            raise make(IoManifestError, f"{self._lake_root().path}: there is no run '{self.run_id}'")
        try:
            return lake.number("run_delete", self.run_id)
        except _lochan.Error as e:
            raise of_lake(e) from e

    def __repr__(self) -> str:
        return f"Dataset(root_dir={self.settings.root_dir!r}, run_id={self.run_id!r})"


# --- readings


def open_scan(
    scan: Any,
    title: str,
    table: str,
    bounds: Mapping[str, int | None],
    columns: Iterable[str] | None = None,
    filter: str | None = None,
    limit: int | None = None,
    as_of: int | str | None = None,
) -> Scan:
    """A Scan over a run, or over many; `scan` opens one reading."""
    chosen = columns if columns is None or isinstance(columns, str) else list(columns)
    at = None if as_of is None else str(as_of)
    shown = ", ".join(f"{name} {value}" for name, value in bounds.items() if value is not None)
    try:
        return Scan(lambda **how: scan(table, **bounds, **how), f"{title}, {shown}" if shown else title, chosen, filter,
                    None if limit is None else _limit(limit), at)
    except _lochan.Error as e:
        raise of_read(e) from e


def lazy(scan: Scan) -> pl.LazyFrame:
    if scan.snapshot_id == 0:  # no row was ever appended to this table: there is no snapshot to stay with
        return scan.to_polars().lazy()
    return scan.lazy()


def scan_runs(
    table: TableName | str,
    runs: Iterable[str] | None = None,
    where: dict[str, Any] | None = None,
    *,
    settings: IoSettings | None = None,
) -> pl.LazyFrame:
    """Rows of many runs (None: of all) with the column run_id, pruned by tick whatever their bucket sizes. settings: of which
    lake; None for `IoSettings.load()`. where as in `Dataset.scan`."""
    import polars as pl

    name, bounds = table_name(table), ticks(where)
    chosen = runs if runs is None or isinstance(runs, str) else list(runs)
    root = _root.of(settings or IoSettings.load())
    lake = root.for_reading()
    if lake is None:
        try:
            return pl.select(run_id=pl.lit(None, pl.String)).clear().hstack(_empty(name)).lazy()
        except _lochan.Error as e:
            raise of_lake(e) from e
    return lazy(open_scan(lambda table, **how: lake.runs_scan(table, runs=chosen, **how), "many runs", name, bounds))


# --- many small appends


class Appender:
    """Collects rows and appends them together: `with run.appender("holdings", rows=50_000) as appender: appender.append(df)`.

    Rows are checked when they come; no reader sees them before they are flushed: at a threshold, by `flush`, by `close`, or at
    the end of the `with` block, also when an exception or Ctrl-C ends it. A flush that fails loses nothing: the rows are
    buffered still, and the next flush tries again. May be used from several threads."""

    def __init__(self, run: Dataset, table: str, appender: _lochan.RunAppender) -> None:
        self.run_id = run.run_id
        self.table = table
        self._appender = appender
        self._closed = False

    def append(self, df: pl.DataFrame) -> None:
        """Buffers rows. `IoSchemaError`: they are refused, none of them is buffered. Of another `IoError`, `kept` tells whether
        they are buffered still."""
        if _is_empty(df):
            return
        told: dict[str, Any] = {}
        try:
            self._appender.append(told, df)
        except _lochan.Error as e:
            error = of_append(e, None)
            error.kept = bool(told.get("kept"))
            raise error from e

    def flush(self) -> int:
        """Appends what is buffered as one commit; returns the number of its rows."""
        told: dict[str, Any] = {}
        try:
            self._appender.flush(told)
        except _lochan.Error as e:
            error = of_append(e, told.get("stage"))
            error.kept = True
            raise error from e
        return int(told["rows"])

    def close(self) -> None:
        """Flushes and closes. If that fails, the appender stays open, with its rows."""
        if not self._closed:
            self.flush()
            self.discard()

    def discard(self) -> None:
        """Closes, and forgets what is buffered."""
        self._closed = True
        self._appender.discard()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def buffered_rows(self) -> int:
        return 0 if self._closed else self._appender.state[0]

    @property
    def buffered_bytes(self) -> int:
        return 0 if self._closed else self._appender.state[1]

    def __enter__(self) -> Appender:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            forgotten = self.buffered_rows
        except Exception:  # of another process, or at the very end
            return
        if forgotten:
            warnings.warn(f"{self!r} was not closed; its rows are appended now", ResourceWarning, stacklevel=2)
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.buffered_rows:,} rows buffered"
        return f"<Appender of run {self.run_id}, {self.table}: {state}>"
