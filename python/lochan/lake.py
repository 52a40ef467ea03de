"""DataLake: datasets that are kept current, in one folder.

    import lochan
    lake = lochan.DataLake.open("lake", create=True)
    lake.sources.add("ecb")
    lake.datasets.add("ecb/fx_daily")
    lake.update.dataset("fx_daily", source="ecb")
    print(lake.status.dataset("fx_daily", source="ecb"))
    lake.scan("fx_daily", source="ecb", where="asset_id = 'USD'").to_polars()
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lochan import _arguments, _lochan
from lochan._arguments import Path
from lochan.reports import (AdoptReport, BackupReport, CommitStatus, CompactReport, ExpireReport, GcReport, RawReport, RebuildReport,
                            RepairReport, RestoreReport, VerifyReport)
from lochan.scan import Rows, Scan
from lochan.sources import Failures, Sources
from lochan.table import Table
from lochan.update import Updates

if TYPE_CHECKING:
    import datetime
    from typing import Literal

    from lochan._arguments import Date, Moment
    from lochan.io import Dataset

__all__ = ["DataLake", "Datasets", "Rejects", "RunTables", "Runs", "Status"]

# What is shown first where there is no room for all.
RUNS = ("started_at", "source", "dataset", "kind", "state", "seconds", "rows_new", "rows_replaced", "requests", "retries", "error")
FILES = ("source", "dataset", "partition", "rows", "bytes", "time_min", "time_max")


# --- the parts of a lake


class Status:
    """`lake.status`: what there is, and what was done."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def _list(self, what: str, name: str | None, source: str | None, limit: int | None = None, order: tuple[str, ...] = (),
              more: tuple[str | None, str | None] = (None, None)) -> Table:
        of = _arguments.filters(name, source)
        return Table(self._lake.rows(what, *of, *more, -1 if limit is None else limit), order=order)

    def dataset(self, name: str, source: str | None = None) -> Table:
        """One row: rows, bytes, files, partitions, time_min, time_max (where the data ends), covered_to (final up to),
        last_update, last_state, failed_scopes, staged_bytes, snapshot_id, asked_to (last day for which the provider gave an
        answer), asked_at (when it was last asked), raw_files, raw_bytes."""
        self._lake.text("dataset", *_arguments.names(name, source))  # there is such a dataset
        return self._list("status", name, source)

    def summary(self, source: str | None = None) -> Table:
        """One row a dataset, columns as of `dataset`."""
        return self._list("status", None, source)

    def runs(self, limit: int | None = None, name: str | None = None, source: str | None = None) -> Table:
        """Past updates, newest first."""
        return self._list("updates", name, source, limit, RUNS)

    def files(self, name: str | None = None, source: str | None = None, *, as_of: Moment | None = None) -> Table:
        """The live files of a dataset, of a source, or of all: path (in the lake), partition, rows, bytes, time_min, time_max,
        ... as_of: those of a snapshot, with source, dataset, path, rows, bytes; none of a table that was not there then."""
        if as_of is not None:
            return self._list("files_at", name, source, more=(_arguments.moment(as_of), None))
        return self._list("files", name, source, None, FILES)

    def partitions(self, name: str | None = None, source: str | None = None) -> Table:
        """source, dataset, partition, files, rows, bytes, published_at."""
        return self._list("partitions", name, source)

    def scopes(self, name: str | None = None, source: str | None = None) -> Table:
        """What was asked of the provider, and with what result: asset, variant, day_from, day_to, state, rows, attempts, ..."""
        return self._list("scopes", name, source)

    def failures(self, limit: int | None = None, name: str | None = None, source: str | None = None) -> Table:
        """Scopes that past updates gave up, newest first."""
        return self._list("failures", name, source, limit)

    def gaps(self, name: str, source: str | None = None, *, start: Date | None = None, end: Date | None = None) -> Table:
        """What the provider still owes: days that are not final, with the reason."""
        return self._list("gaps", name, source, more=(_arguments.date(start), _arguments.date(end)))

    def rejects(self, name: str | None = None, source: str | None = None, *, update_id: str | None = None) -> Table:
        """Rows that a rule quarantined: scope, page, row, column, rule, reason, record."""
        return self._list("rejects", name, source, more=(update_id, None))

    def __repr__(self) -> str:
        return repr(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


class Rejects:
    """`lake.rejects`: rows that a rule quarantined."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def list(self, name: str | None = None, source: str | None = None, *, update_id: str | None = None) -> Table:
        """update_id, source, dataset, state ("kept" or "released"), scope, page, row, column, rule, reason, record."""
        return Table(self._lake.rows("rejects", *_arguments.filters(name, source), update_id))

    def release(self, name: str, source: str | None = None, *, update_id: str | None = None) -> int:
        """Writes kept rows of an update, or of all, into the dataset, past the rules; returns how many. If a value does
        not fit the table's types, nothing is written."""
        return self._lake.number("release", *_arguments.names(name, source), update_id)

    def drop(self, name: str, source: str | None = None, *, update_id: str | None = None) -> int:
        """Forgets rows of an update, or of all; returns how many."""
        return self._lake.number("drop", *_arguments.names(name, source), update_id)

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


class Datasets:
    """`lake.datasets`: which rows are kept, and how."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def add(self, what: Path, replace: bool = False) -> int:
        """Adds a dataset: a bundled one ("ecb/fx_daily"), all that are bundled with a source ("ecb"), or a spec (see
        `add_from_yaml`). Returns how many were new."""
        if _arguments.is_path(what) or _arguments.is_yaml(os.fspath(what)):
            self.add_from_yaml(what, replace)
            return 1
        if replace:
            raise _lochan.ArgumentError("replace: for specs of your own, not for bundled ones")
        return self._lake.number("dataset_add_bundled", os.fspath(what))

    def add_from_yaml(self, what: Path, replace: bool = False) -> None:
        """Adds a dataset from the path of a spec, or from YAML text. replace: change the dataset of that name."""
        self._lake.add("dataset", *_arguments.read_spec(what), replace)

    def compare(self, what: Path) -> bool:
        """Whether the rows of a dataset were made under another mapping than this spec's, so that they need an update with
        force=True to become alike. Changes nothing."""
        return self._lake.compare(*_arguments.read_spec(what))

    def get(self, name: str, source: str | None = None) -> str:
        """A dataset as YAML."""
        return self._lake.text("dataset", *_arguments.names(name, source))

    def enable(self, name: str, source: str | None = None) -> None:
        """Takes `disable` back."""
        self._lake.do("dataset_enable", *_arguments.names(name, source), None, None, -1, True)

    def disable(self, name: str, source: str | None = None) -> None:
        """A disabled dataset is refused by updates, and left out by those of a whole source."""
        self._lake.do("dataset_enable", *_arguments.names(name, source), None, None, -1, False)

    def remove(self, name: str, source: str | None = None, *, delete_data: bool = False, confirm: bool = False) -> None:
        """Forgets a dataset and what was asked for it. Its rows stay and can be read, unless delete_data, which wants
        confirm=True; older snapshots show them until they expire."""
        if delete_data and not confirm:
            raise _lochan.ArgumentError("delete_data: say confirm=True too")
        self._lake.do("dataset_remove", *_arguments.names(name, source), None, None, -1, delete_data)

    def list(self) -> Table:
        """source, dataset, category, enabled, key, partition, update_mode, rows, last_update."""
        return Table(self._lake.rows("datasets"))

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


class RunTables:
    """`lake.tables`: which run tables there are: those that were added, and the bundled ones."""

    def __init__(self, lake: _lochan.Lake | None) -> None:
        self._lake = lake

    def add(self, what: Path, replace: bool = False) -> None:
        """Adds a run table: the path of a descriptor, or its YAML text. replace: change the table of that name; the columns
        that are stored must fit."""
        if self._lake is None:
            raise _lochan.ArgumentError("run tables are added to a lake")
        self._lake.add("table", *_arguments.read_spec(what), replace)

    def list(self) -> Table:
        """table, version, columns, bundled, added, rows, parts, bytes, description."""
        return Table(_lochan.rows("bundled_tables") if self._lake is None else self._lake.rows("tables"))

    def get(self, name: str) -> str:
        """The descriptor as YAML."""
        return _lochan.text("bundled_table", name) if self._lake is None else self._lake.text("table", name)

    def columns(self, name: str) -> Table:
        """column, type, required, nullable, open, values."""
        return Table(_lochan.rows("bundled_columns", name) if self._lake is None else self._lake.rows("columns", name))

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


class Runs:
    """`lake.runs`: what simulations wrote, run by run."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def dataset(self, run_id: str, **settings: Any) -> Dataset:
        """A `lochan.io.Dataset` of this lake; settings are fields of `lochan.io.IoSettings`."""
        from lochan.io import Dataset, IoSettings, RunId

        return Dataset(IoSettings(root_dir=os.path.abspath(self._lake.path), **settings), RunId(run_id))

    def list(self, table: str | None = None) -> Table:
        """The runs, or those with rows in a table, oldest first: run_id, created_at, tick_bucket_size, parts, rows, bytes,
        seed, code_version, parameters."""
        return Table(self._lake.rows("runs_of", table))

    def get(self, run_id: str) -> dict[str, Any]:
        """What is known of a run: parameters, seed, code_version, tables with their parts."""
        return dict(json.loads(self._lake.text("run", run_id)))

    def scan(
        self,
        table: str,
        runs: Iterable[str] | None = None,
        where: Mapping[str, Any] | None = None,
        *,
        columns: Iterable[str] | None = None,
        filter: str | None = None,
        limit: int | None = None,
        as_of: Moment | None = None,
    ) -> Scan:
        """Rows of many runs, None for all, with the column run_id. where: {"tick_min": ..., "tick_max": ...}, both included.
        filter: rows to keep, as `where` of `DataLake.scan`."""
        from lochan.io.dataset import open_scan, ticks

        chosen = runs if runs is None or isinstance(runs, str) else list(runs)
        return open_scan(lambda table, **how: self._lake.runs_scan(table, runs=chosen, **how), f"runs of {table}", table,
                         ticks(where), columns, filter, limit, _arguments.moment(as_of))

    def delete(self, run_id: str) -> int:
        """Removes all rows of a run from all tables, in one commit; returns the number of parts. The files go with the
        retention of the lake."""
        return self._lake.number("run_delete", run_id)

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


# --- the lake


def _seconds(what: str, span: datetime.timedelta | None) -> int:
    """-1 is the library's default."""
    import datetime

    if span is None:
        return -1
    if not isinstance(span, datetime.timedelta):
        raise TypeError(f"{what}: expected a datetime.timedelta, got {type(span).__name__}")
    if span < datetime.timedelta(0):
        raise _lochan.ArgumentError(f"{what}: expected a span that is not negative, got {span}")
    return int(span.total_seconds())


class DataLake:
    """An open lake; see `open` and `init`. May be used from several threads at once, and closed from any, also while
    others work on it or read from it: what is under way goes on to its end."""

    def __init__(self, lake: _lochan.Lake) -> None:
        failures = Failures(lake)
        self._lake = lake
        self.update = Updates(lake, failures)
        self.status = Status(lake)
        self.sources = Sources(lake, failures)
        self.datasets = Datasets(lake)
        self.rejects = Rejects(lake)
        self.tables = RunTables(lake)
        self.runs = Runs(lake)

    @classmethod
    def open(
        cls,
        path: Path,
        create: bool = False,
        read_only: bool = False,
        *,
        threads: int | None = None,
        memory_limit: int | None = None,
        lock_timeout: float | None = None,
    ) -> DataLake:
        """Opens the lake in a folder. `NotFoundError` if there is none, unless create.

        read_only: never writes; chosen by itself if the folder cannot be written. threads: None for one a processor.
        memory_limit: bytes for all work under way, None for 256 MB. lock_timeout: seconds that writers queue, None for 60,
        -1 for ever.
        """
        options: dict[str, Any] = {
            "threads": threads or 0,
            "memory_limit": memory_limit or 0,
            "lock_timeout_ms": 0 if lock_timeout is None else -1 if lock_timeout < 0 else max(1, round(lock_timeout * 1000)),
        }
        if create and read_only:
            raise _lochan.ArgumentError("create and read_only exclude each other")
        if create:
            try:
                _lochan.init_lake(path, **options)
            except _lochan.ExistsError:
                pass
        return cls(_lochan.Lake(path, read_only=read_only, **options))

    @classmethod
    def init(
        cls,
        path: Path,
        *,
        threads: int | None = None,
        memory_limit: int | None = None,
        lock_timeout: float | None = None,
    ) -> DataLake:
        """Makes an empty lake in a folder, which is created if missing, and opens it. `ExistsError` if there is one."""
        _lochan.init_lake(path)
        return cls.open(path, threads=threads, memory_limit=memory_limit, lock_timeout=lock_timeout)

    @staticmethod
    def restore(backup: Path, path: Path, *, verify: bool = False, link: bool = False) -> RestoreReport:
        """Makes a lake in a folder, missing or empty, from a backup. verify: reads everything back, to the last page."""
        figures, problems = _lochan.restore_lake(backup, path, verify, link)
        return RestoreReport(*figures, None if problems is None else Table(problems))

    @staticmethod
    def rebuild(path: Path, *, cut: bool = False, adopt: bool = False) -> RebuildReport:
        """Makes the catalog of a lake again from its journal; the old one is set aside. Close the lake first.

        cut: where the journal is ahead of the catalog, the catalog wins, and what it lacks is set aside. adopt: whole
        appends that no catalog knows become part of their tables."""
        figures, problems = _lochan.rebuild_lake(path, cut, adopt)
        return RebuildReport(*figures, Table(problems))

    @property
    def path(self) -> str:
        """The folder."""
        return self._lake.path

    @property
    def read_only(self) -> bool:
        return self._lake.read_only

    @property
    def closed(self) -> bool:
        return self._lake.closed

    def scan(
        self,
        name: str,
        source: str | None = None,
        *,
        columns: Iterable[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        as_of: Moment | None = None,
        known_as_of: Date | None = None,
    ) -> Scan:
        """Rows of one dataset, read when somebody asks for them; see `Scan`.

        columns: these, in this order; None for all but _known_at. where: rows to keep, such as "asset_id = 'USD' and time >=
        '2024-01-01'". limit: at most so many rows. as_of: the number of a snapshot, or a time (UTC unless it has an
        offset): the newest snapshot then; None for the newest now. A Scan stays with the snapshot it began with.
        known_as_of: of a point_in_time dataset, only rows that were published, as they are, by that time.
        """
        source, dataset = _arguments.names(name, source)
        chosen = columns if columns is None or isinstance(columns, str) else list(columns)
        known = _arguments.moment(known_as_of)
        title = f"{source}/{dataset}" + (f", known as of {known}" if known else "")
        return Scan(lambda **how: self._lake.scan(source, dataset, known_as_of=known, **how), title, chosen, where, limit,
                    _arguments.moment(as_of))

    def gaps(self, name: str, source: str | None = None, *, start: Date | None = None, end: Date | None = None) -> Table:
        """What the provider still owes of a dataset; the same as `status.gaps`."""
        return self.status.gaps(name, source, start=start, end=end)

    def snapshots(self, name: str | None = None, source: str | None = None, *, limit: int | None = None) -> Table:
        """The snapshots that are kept, newest first; with a dataset, those that changed it: snapshot_id, time, kind, author,
        message, changes, tags."""
        return Table(self._lake.rows("snapshots", *_arguments.filters(name, source), None, None, -1 if limit is None else limit))

    def tag(self, name: str, as_of: Moment | None = None, *, token: str | None = None) -> int:
        """Names a snapshot, the newest if as_of is None, and returns its number. A tagged snapshot is never expired, and its
        tag can stand for it everywhere. A tag that is there moves. token: a commit with the same token is not repeated; see
        `commit_status`."""
        return self._lake.number("tag", name, _arguments.moment(as_of), token)

    def untag(self, name: str, *, token: str | None = None) -> None:
        """Takes a tag back; the snapshot stays until it expires. token: as of `tag`."""
        self._lake.do("untag", name, token)

    def diff(self, name: str, since: Moment, until: Moment | None = None, *, source: str | None = None) -> Rows:
        """What changed in a dataset between two snapshots (until None: the newest): rows with a column _change, "added",
        "removed", "before" and "after"; without a key "added" and "removed", with _count. Read when asked for."""
        source, dataset = _arguments.names(name, source)
        ends = _arguments.moment(since), _arguments.moment(until)
        return Rows(lambda: self._lake.stream("diff", source, dataset, *ends), f"diff of {source}/{dataset}, {since} to {until or 'now'}")

    def rollback(self, name: str, to: Moment, *, source: str | None = None, token: str | None = None) -> int | None:
        """Makes the rows of a dataset what they were, as a new snapshot, whose number is returned; None: they are that.
        token: as of `tag`."""
        snapshot = self._lake.number("rollback", *_arguments.names(name, source), _arguments.moment(to), token)
        return None if snapshot < 0 else snapshot

    def expire(self, older_than: datetime.timedelta | None = None, *, keep: int = 1, dry_run: bool = False,
               token: str | None = None) -> ExpireReport:
        """Forgets snapshots older than that, by default the retention of the lake, but for the newest `keep` and those with a
        tag. Removes no file: see `gc`. dry_run: only counts. token: as of `tag`."""
        return ExpireReport(dry_run, *self._lake.expire(_seconds("older_than", older_than), keep, dry_run, token))

    def set_retention(self, span: datetime.timedelta) -> None:
        """How long this lake keeps its snapshots, 30 days until it is set: for `expire`, and for what follows a commit by
        itself, once an hour at most."""
        if span is None:
            raise TypeError("span: expected a datetime.timedelta, got None")
        self._lake.do("set_retention", None, None, None, None, _seconds("span", span))

    def gc(self, grace: datetime.timedelta | None = None, *, dry_run: bool = False, token: str | None = None) -> GcReport:
        """Removes files that `expire` forgot at least so long ago, by default a day, and nothing else. dry_run: only lists
        them. token: as of `tag`."""
        files, size, waiting, plan = self._lake.gc(_seconds("grace", grace), dry_run, token)
        return GcReport(dry_run, files, size, waiting, Table(plan))

    def sql(self) -> str:
        """The statement with which DuckDB attaches this lake, read-only."""
        return self._lake.text("sql")

    def verify(
        self,
        deep: bool = False,
        *,
        source: str | None = None,
        dataset: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> VerifyReport:
        """Compares catalog, journal and files. Problems are in the report, not an exception. deep: also reads every page:
        checksums, statistics, order, keys. progress: gets the numbers of files done and in all, from any thread."""
        report, problems = self._lake.verify(deep=deep, source=source, dataset=dataset, progress=progress)
        return VerifyReport(deep=deep, details=Table(problems), **report)

    def backup(
        self,
        folder: Path,
        *,
        all: bool = False,
        link: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> BackupReport:
        """Copies the newest snapshot and those with a tag into a folder: a new or empty one, or an earlier backup of this
        lake, to which only what is new is added. all: every snapshot. link: hard links instead of copies. progress: gets
        the numbers of files done and in all."""
        return BackupReport(*self._lake.backup(folder, all, link, progress))

    def adopt(
        self,
        folder: Path,
        *,
        source: str | None = None,
        name: str | None = None,
        key: Iterable[str] | None = None,
        how: Literal["link", "copy", "move"] = "link",
        dry_run: bool = False,
    ) -> AdoptReport:
        """Makes the Parquet files below a folder datasets of the lake, as they are: each folder with Parquet files or folders
        key=value is one. Done again it takes only files that are new.

        source, name: else those of the folders. key: columns that identify a row, in the order of the table; without it
        the dataset cannot be updated. how: hard links, copies, or links whose old names go. dry_run: only the list."""
        ways = {"link": 0, "copy": 1, "move": 2}
        if how not in ways:
            raise ValueError(f"how: expected link, copy or move, got {how!r}")
        columns = None if key is None else [key] if isinstance(key, str) else list(key)
        figures, files = self._lake.adopt(os.fspath(folder), source, name, columns, ways[how], dry_run)
        return AdoptReport(dry_run, *figures, Table(files))

    def compact(
        self,
        name: str | None = None,
        source: str | None = None,
        *,
        full: bool = False,
        cluster: bool = False,
        min_files: int | None = None,
        target_bytes: int | None = None,
        max_input_bytes: int | None = None,
        min_file_bytes: int | None = None,
        dry_run: bool = False,
    ) -> CompactReport:
        """Joins small neighbouring files of a dataset, of a source, or of all into larger ones, and sorts partitions that
        were not written for a while by the `cluster_columns` of the spec. No row changes; others read and write meanwhile,
        and the old files stay until `expire` and `gc`. None: as `compaction` in the spec has it.

        full: whatever fits into one file, from two files on. cluster: sorts every partition. min_files: neighbours that are
        worth joining, else 8. target_bytes: files grow up to this, else 128 MiB. max_input_bytes: of this call, the next
        goes on, else no limit. min_file_bytes: larger files stay, else half of target_bytes. dry_run: only the plan."""
        numbers = min_files or 0, target_bytes or 0, max_input_bytes or 0, min_file_bytes or 0
        figures, plan = self._lake.compact(*_arguments.filters(name, source), full, cluster, *numbers, dry_run)
        return CompactReport(dry_run, *figures, Table(plan))

    def repair(self, name: str | None = None, source: str | None = None, *, deep: bool = False, force: bool = False,
               dry_run: bool = False) -> RepairReport:
        """Takes damaged files out of a dataset, of those of a source, or of all, and has the next update fetch their days
        again. Rows of tables that no dataset fills are lost with their file: see the plan. No file is removed.

        deep: looks into every page, not only at sizes and footers. force: also where most of a table seems damaged, and
        where the system cannot read. dry_run: only the plan."""
        figures, plan = self._lake.repair(*_arguments.filters(name, source), deep, force, dry_run)
        return RepairReport(dry_run, *figures, Table(plan))

    def raw(self, name: str | None = None, source: str | None = None) -> Table:
        """The published updates whose answers were kept (`keep_raw: true` in the spec), oldest first: source, dataset,
        update_id, started_at, scopes, answers, files, bytes, mapping ("current" or "other" than the spec has now)."""
        return Table(self._lake.rows("raw", *_arguments.filters(name, source)))

    def rebuild_from_raw(
        self,
        name: str,
        source: str | None = None,
        *,
        updates: Sequence[str] | None = None,
        since: Moment | None = None,
        partial: bool = False,
        owed: bool = False,
        plan: bool = False,
    ) -> RawReport:
        """Builds a dataset again from its kept answers, under its spec as it is now, in one commit; the provider is not asked.
        `PartialError` if the answers lack days that the ledger has, or rows that the table has; nothing is changed then.

        updates, since: only the answers of these updates, or of those that began then or later. partial: goes on without the
        days and rows that are lacking; the next update asks for the days. owed: only the days that
        failed or that a repair took out, whose rows are added. plan: reads everything, changes nothing, and `lacks` has the days."""
        figures, lacks = self._lake.raw_rebuild(*_arguments.names(name, source), updates, _arguments.moment(since), partial, plan, owed)
        return RawReport(plan, *figures, Table(lacks))

    def trim_raw(self, name: str | None = None, source: str | None = None, *, max_bytes: int | None = None) -> tuple[int, int]:
        """Removes the oldest kept answers of each dataset until the others take at most so much; None: what its spec says.
        How many files went, and their bytes."""
        if max_bytes is not None and max_bytes < 0:
            raise _lochan.ArgumentError("max_bytes: expected 0 or more")
        return self._lake.raw_trim(*_arguments.filters(name, source), -1 if max_bytes is None else max_bytes)

    def keep_current(self, on: bool = True) -> None:
        """Keeps a folder current/ in the lake with a hard link to each live file and to no other, for readers that glob; it
        follows every commit. False: the links go."""
        self._lake.do("keep_current", None, None, None, None, -1, on)

    def commit_status(self, token: str) -> CommitStatus:
        """The fate of the commit that carried this token."""
        return CommitStatus(*self._lake.commit_status(token))

    def cancel(self) -> None:
        """Asks everything that runs on this lake, in whatever thread, to stop with `CancelledError`; also what is begun
        later, until `resume`."""
        self._lake.cancel()

    def resume(self) -> None:
        """Takes `cancel` back."""
        self._lake.resume()

    def close(self) -> None:
        """Closes the lake. Scans that others read go on."""
        self._lake.close()

    def __enter__(self) -> DataLake:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _title(self) -> str:
        return f"DataLake {self.path}" + (" (closed)" if self.closed else " (read-only)" if self.read_only else "")

    def _overview(self) -> Table | None:
        try:
            return None if self.closed else Table(self._lake.rows("status"), self._title())
        except _lochan.Error:
            return None

    def __repr__(self) -> str:
        overview = self._overview()
        if overview is None:
            return f"<{self._title()}>"
        return repr(overview) if len(overview) else f"{self._title()}\n(no dataset yet)"

    def _repr_html_(self) -> str:
        overview = self._overview()
        if overview is None:
            from lochan import _show

            return _show.pairs_html(self._title(), [])
        return overview._repr_html_()
