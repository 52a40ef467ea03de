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
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

from lochan import _lochan
from lochan.reports import CommitStatus, Progress, UpdateReport, VerifyReport
from lochan.scan import Scan
from lochan.table import Table

if TYPE_CHECKING:
    import datetime

    from lochan.io import Dataset

    Date = Union[str, datetime.date]
    Moment = Union[int, str, datetime.date, datetime.datetime]

__all__ = ["DataLake", "Datasets", "RunTables", "Runs", "Sources", "Status", "Updates"]

ProgressOption = Union[bool, Callable[[Progress], object], None]
Path = Union[str, "os.PathLike[str]"]
MAX_SPEC = 1 << 20

# An update that ended so did nothing.
NEVER_BEGAN = ("INVALID_ARGUMENT", "NOT_FOUND", "LOCKED", "READ_ONLY")

# What is shown first where there is no room for all.
RUNS = ("started_at", "source", "dataset", "kind", "state", "seconds", "rows_new", "rows_replaced", "requests", "retries", "error")
FILES = ("source", "dataset", "partition", "rows", "bytes", "time_min", "time_max")


# --- arguments


def _names(name: str, source: str | None) -> tuple[str, str]:
    """("ecb", "fx_daily") of "fx_daily" with a source, or of "ecb/fx_daily"."""
    if source is not None:
        return source, name
    for separator in "/.":
        before, found, after = name.partition(separator)
        if found and before and after:
            return before, after
    raise _lochan.ArgumentError(f"of which source is '{name}'? give source=, or the name as SOURCE/DATASET")


def _date(value: Date | None) -> str | None:
    return value if value is None or isinstance(value, str) else value.isoformat()


def _moment(value: Moment | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    return str(value)  # 2026-10-30, or 2026-10-30 12:00:00+02:00


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _is_yaml(text: str) -> bool:
    """Names and paths have neither."""
    return "\n" in text or ": " in text


def _read_spec(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(MAX_SPEC + 1)


def _is_path(what: object) -> bool:
    return not isinstance(what, str) or what.endswith((".yaml", ".yml"))


# --- the parts of a lake


class Updates:
    """`lake.update`: brings datasets up to date."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def dataset(
        self,
        name: str,
        source: str | None = None,
        *,
        start: Date | None = None,
        end: Date | None = None,
        assets: Iterable[str] | None = None,
        force: bool = False,
        repair: bool = False,
        workers: int | None = None,
        batch_size: int | None = None,
        source_options: Mapping[str, object] | None = None,
        progress: ProgressOption = None,
        max_retries: int | None = None,
        retry_backoff_seconds: float | None = None,
        dry_run: bool = False,
        validate: str | None = None,
        record: Path | None = None,
        token: str | None = None,
    ) -> UpdateReport:
        """Asks the source for the days that are missing, failed or not final yet, and publishes them as one snapshot.

        start, end: "YYYY-MM-DD" or a date, both included; None: the spec's default_start (or the first day ever asked for),
        and today. assets: only these, for datasets that are asked by asset. force: ask again what is final. repair: ask again
        what failed, and only that. workers: requests at a time. source_options: fields of the source, for this call.
        progress: None shows a bar if somebody looks (a terminal, a notebook), False none; or a callable that gets a
        `Progress`; what it raises stops the update. dry_run: plan only. validate: "strict" or "off" instead of what the spec's
        rules say. record: a folder that gets every answer as it came, for a feed to replay. token: a commit with the same token is not
        repeated; see `DataLake.commit_status`. What is None is the source's or the spec's.

        If some scopes failed, the others are published and `PartialError` is raised; the next update asks for the failed
        ones. Ctrl-C stops the update and leaves the lake as it was; the next one goes on from the pages that came. Every
        exception of an update that began has `.report`.
        """
        return self._run(name, source, start, end, progress, assets=assets, force=force, repair=repair, workers=workers,
                         batch_size=batch_size, source_options=source_options, max_retries=max_retries,
                         retry_backoff_seconds=retry_backoff_seconds, dry_run=dry_run, validate=validate, record=record, token=token, backfill=False)

    def datasets(
        self,
        names: Iterable[str],
        source: str | None = None,
        *,
        start: Date | None = None,
        end: Date | None = None,
        assets: Iterable[str] | None = None,
        force: bool = False,
        repair: bool = False,
        workers: int | None = None,
        batch_size: int | None = None,
        source_options: Mapping[str, object] | None = None,
        progress: ProgressOption = None,
        max_retries: int | None = None,
        retry_backoff_seconds: float | None = None,
        dry_run: bool = False,
        validate: str | None = None,
        record: Path | None = None,
    ) -> list[UpdateReport]:
        """Several datasets, one after the other; a report for each.

        One that fails does not keep the others from being updated: its exception is raised at the end, the first one if
        there are several. That exception has `.reports`, one for each dataset that began.
        """
        if isinstance(names, str):
            raise TypeError(f"names: expected a list of names, got one str; use dataset({names!r})")
        asked = None if assets is None else list(assets)
        reports: list[UpdateReport] = []
        first: _lochan.Error | None = None
        for name in list(names):
            try:
                report = self._run(name, source, start, end, progress, assets=asked, force=force, repair=repair,
                                   workers=workers, batch_size=batch_size, source_options=source_options,
                                   max_retries=max_retries, retry_backoff_seconds=retry_backoff_seconds, dry_run=dry_run,
                                   validate=validate, record=record, token=None, backfill=False)
            except _lochan.Error as e:
                first = first or e
                if e.report is None:
                    continue
                report = e.report
            reports.append(report)
        if first is not None:
            first.reports = reports
            raise first
        return reports

    def source(
        self,
        name: str,
        *,
        start: Date | None = None,
        end: Date | None = None,
        force: bool = False,
        repair: bool = False,
        workers: int | None = None,
        source_options: Mapping[str, object] | None = None,
        progress: ProgressOption = None,
        max_retries: int | None = None,
        retry_backoff_seconds: float | None = None,
        dry_run: bool = False,
        validate: str | None = None,
        record: Path | None = None,
    ) -> list[UpdateReport]:
        """All enabled datasets of a source, as `datasets` does."""
        self._lake.source_show(name)  # there is such a source
        listed = Table(self._lake.list("datasets")).rows()
        names = [row["dataset"] for row in listed if row["source"] == name and row["enabled"]]
        return self.datasets(names, name, start=start, end=end, force=force, repair=repair, workers=workers,
                             source_options=source_options, progress=progress, max_retries=max_retries,
                             retry_backoff_seconds=retry_backoff_seconds, dry_run=dry_run, validate=validate, record=record)

    def backfill(
        self,
        name: str,
        source: str | None = None,
        start: Date | None = None,
        end: Date | None = None,
        *,
        assets: Iterable[str] | None = None,
        force: bool = False,
        repair: bool = False,
        workers: int | None = None,
        batch_size: int | None = None,
        source_options: Mapping[str, object] | None = None,
        progress: ProgressOption = None,
        max_retries: int | None = None,
        retry_backoff_seconds: float | None = None,
        dry_run: bool = False,
        validate: str | None = None,
        record: Path | None = None,
        token: str | None = None,
    ) -> UpdateReport:
        """An update between two days, which must be given; recorded as a backfill."""
        return self._run(name, source, start, end, progress, assets=assets, force=force, repair=repair, workers=workers,
                         batch_size=batch_size, source_options=source_options, max_retries=max_retries,
                         retry_backoff_seconds=retry_backoff_seconds, dry_run=dry_run, validate=validate, record=record, token=token, backfill=True)

    def _run(
        self,
        name: str,
        source: str | None,
        start: Date | None,
        end: Date | None,
        progress: ProgressOption,
        *,
        assets: Iterable[str] | None,
        force: bool,
        repair: bool,
        workers: int | None,
        batch_size: int | None,
        source_options: Mapping[str, object] | None,
        max_retries: int | None,
        retry_backoff_seconds: float | None,
        dry_run: bool,
        validate: str | None,
        record: Path | None,
        token: str | None,
        backfill: bool,
    ) -> UpdateReport:
        source, dataset = _names(name, source)
        bar = None
        if progress is None or progress is True:
            from lochan import _progress

            bar = _progress.bar(always=progress is True)
        shown = progress if callable(progress) else bar
        report: dict[str, Any] = {}
        try:
            self._lake.update(
                report,
                source,
                dataset,
                start=_date(start),
                end=_date(end),
                assets=assets if assets is None or isinstance(assets, str) else list(assets),
                force=force,
                repair=repair,
                backfill=backfill,
                dry_run=dry_run,
                validate=validate,
                record=None if record is None else os.fspath(record),
                workers=workers or 0,
                batch_size=batch_size or 0,
                max_retries=-1 if max_retries is None else max_retries,
                retry_backoff_seconds=-1.0 if retry_backoff_seconds is None else retry_backoff_seconds,
                source_options=[f"{key}={_text(value)}" for key, value in (source_options or {}).items()],
                token=token,
                progress=None if shown is None else lambda *now: shown(Progress(source, dataset, *now)),
            )
        except _lochan.Error as e:
            if report and report["status"] not in NEVER_BEGAN:
                e.report = UpdateReport(**report)
            raise
        finally:
            if bar is not None:
                bar.close()
        return UpdateReport(**report)

    def __repr__(self) -> str:
        return "<lake.update: dataset, datasets, source, backfill>"


class Status:
    """`lake.status`: what there is, and what was done."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def dataset(self, name: str, source: str | None = None) -> Table:
        """One row: rows, bytes, files, partitions, time_min, time_max, covered_to (final up to), last_update, last_state,
        failed_scopes, staged_bytes, snapshot_id."""
        source, dataset = _names(name, source)
        self._lake.dataset_show(source, dataset)  # there is such a dataset
        return Table(self._lake.list("status", source, dataset))

    def summary(self, source: str | None = None) -> Table:
        """One row a dataset, columns as of `dataset`."""
        return Table(self._lake.list("status", source))

    def runs(self, limit: int | None = None, name: str | None = None, source: str | None = None) -> Table:
        """Past updates, newest first."""
        dataset = None
        if name is not None:
            source, dataset = _names(name, source)
        return Table(self._lake.list("updates", source, dataset, -1 if limit is None else limit), order=RUNS)

    def files(self, name: str | None = None, source: str | None = None) -> Table:
        """The live files of a dataset, of a source, or of all: path, partition, rows, bytes, time_min, time_max, ..."""
        dataset = None
        if name is not None:
            source, dataset = _names(name, source)
        return Table(self._lake.list("files", source, dataset), order=FILES)

    def _of(self, what: str, name: str | None, source: str | None, limit: int | None = None, *more: str | None) -> Table:
        dataset = None
        if name is not None:
            source, dataset = _names(name, source)
        return Table(self._lake.list(what, source, dataset, -1 if limit is None else limit, *more))

    def partitions(self, name: str | None = None, source: str | None = None) -> Table:
        """source, dataset, partition, files, rows, bytes, published_at."""
        return self._of("partitions", name, source)

    def scopes(self, name: str | None = None, source: str | None = None) -> Table:
        """What was asked of the provider, and with what result: asset, variant, day_from, day_to, state, rows, attempts, ..."""
        return self._of("scopes", name, source)

    def failures(self, limit: int | None = None, name: str | None = None, source: str | None = None) -> Table:
        """Scopes that past updates gave up, newest first."""
        return self._of("failures", name, source, limit)

    def gaps(self, name: str, source: str | None = None, *, start: Date | None = None, end: Date | None = None) -> Table:
        """What the provider still owes: days that are not final, with the reason."""
        return self._of("gaps", name, source, None, _date(start), _date(end))

    def rejects(self, name: str | None = None, source: str | None = None, *, update_id: str | None = None) -> Table:
        """Rows that a rule quarantined: scope, page, row, column, rule, reason, record."""
        return self._of("rejects", name, source, None, update_id)

    def __repr__(self) -> str:
        return repr(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


class Sources:
    """`lake.sources`: where rows come from."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake

    def add(self, what: Path, replace: bool = False) -> None:
        """Adds a source: the name of a bundled one ("ecb"), the path of a spec (a Path, or a str that ends in .yaml or
        .yml), or a spec as YAML text. replace: change the source of that name."""
        if isinstance(what, str) and _is_yaml(what):
            self._lake.source_add(what, "the text given", replace)
        elif _is_path(what):
            self._lake.source_add(_read_spec(what), os.fspath(what), replace)
        elif replace:
            raise _lochan.ArgumentError("replace: for specs of your own, not for bundled ones")
        else:
            self._lake.source_add_bundled(os.fspath(what))

    def configure(self, name: str, overrides: Mapping[str, object] | None = None, /, **fields: object) -> None:
        """Overrides fields of a source in this lake: `configure("ecb", url=..., workers=8)`, and nested ones by a dict:
        `configure("ecb", {"csv.delimiter": ";"})`. None takes an override back. Secrets are references: "env:NAME" or
        "file:PATH". Each field is checked and set by itself, in this order."""
        for key, value in {**(overrides or {}), **fields}.items():
            self._lake.source_set(name, key, None if value is None else _text(value))

    def get(self, name: str) -> str:
        """A source as YAML, as it is in effect."""
        return self._lake.source_show(name)

    def list(self) -> Table:
        """name, kind, url, bundled, datasets."""
        return Table(self._lake.list("sources"))

    @staticmethod
    def bundled() -> Table:
        """The specs that come with lochan: kind ("source" or "dataset"), name."""
        return Table(_lochan.bundled())

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
        if _is_path(what) or _is_yaml(os.fspath(what)):
            self.add_from_yaml(what, replace)
            return 1
        if replace:
            raise _lochan.ArgumentError("replace: for specs of your own, not for bundled ones")
        return self._lake.dataset_add_bundled(os.fspath(what))

    def add_from_yaml(self, what: Path, replace: bool = False) -> None:
        """Adds a dataset from the path of a spec, or from YAML text. replace: change the dataset of that name."""
        if isinstance(what, str) and _is_yaml(what):
            self._lake.dataset_add(what, "the text given", replace)
        else:
            self._lake.dataset_add(_read_spec(what), os.fspath(what), replace)

    def get(self, name: str, source: str | None = None) -> str:
        """A dataset as YAML."""
        return self._lake.dataset_show(*_names(name, source))

    def enable(self, name: str, source: str | None = None) -> None:
        """Takes `disable` back."""
        self._lake.dataset_enable(*_names(name, source), True)

    def disable(self, name: str, source: str | None = None) -> None:
        """A disabled dataset is refused by updates, and left out by those of a whole source."""
        self._lake.dataset_enable(*_names(name, source), False)

    def remove(self, name: str, source: str | None = None, *, delete_data: bool = False, confirm: bool = False) -> None:
        """Forgets a dataset and what was asked for it. Its rows stay and can be read, unless delete_data, which wants
        confirm=True; older snapshots show them until they expire."""
        if delete_data and not confirm:
            raise _lochan.ArgumentError("delete_data: say confirm=True too")
        self._lake.dataset_remove(*_names(name, source), delete_data)

    def list(self) -> Table:
        """source, dataset, category, enabled, key, partition, update_mode, rows, last_update."""
        return Table(self._lake.list("datasets"))

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
        if isinstance(what, str) and _is_yaml(what):
            self._lake.table_add(what, "the text given", replace)
        else:
            self._lake.table_add(_read_spec(what), os.fspath(what), replace)

    def list(self) -> Table:
        """table, version, columns, bundled, added, rows, parts, bytes, description."""
        return Table(_lochan.table_list() if self._lake is None else self._lake.list("tables"))

    def get(self, name: str) -> str:
        """The descriptor as YAML."""
        return _lochan.table_show(name) if self._lake is None else self._lake.table_show(name)

    def columns(self, name: str) -> Table:
        """column, type, required, nullable, open, values."""
        return Table(_lochan.table_columns(name) if self._lake is None else self._lake.list("columns", None, name))

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
        return Table(self._lake.list("runs_of", None, table))

    def get(self, run_id: str) -> dict[str, Any]:
        """What is known of a run: parameters, seed, code_version, tables with their parts."""
        return dict(json.loads(self._lake.run_export(run_id)))

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
                         ticks(where), columns, filter, limit, _moment(as_of))

    def delete(self, run_id: str) -> int:
        """Removes all rows of a run from all tables, in one commit; returns the number of parts. The files go with the
        retention of the lake."""
        return self._lake.run_delete(run_id)

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


# --- the lake


class DataLake:
    """An open lake; see `open` and `init`. May be used from several threads at once, and closed from any, also while
    others work on it or read from it: what is under way goes on to its end."""

    def __init__(self, lake: _lochan.Lake) -> None:
        self._lake = lake
        self.update = Updates(lake)
        self.status = Status(lake)
        self.sources = Sources(lake)
        self.datasets = Datasets(lake)
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
    ) -> Scan:
        """Rows of one dataset, read when somebody asks for them; see `Scan`.

        columns: these, in this order; None for all. where: rows to keep, such as "asset_id = 'USD' and time >=
        '2024-01-01'". limit: at most so many rows. as_of: the number of a snapshot, or a time (UTC unless it has an
        offset): the newest snapshot then; None for the newest now. A Scan stays with the snapshot it began with.
        """
        source, dataset = _names(name, source)
        chosen = columns if columns is None or isinstance(columns, str) else list(columns)
        return Scan(lambda **how: self._lake.scan(source, dataset, **how), f"{source}/{dataset}", chosen, where, limit, _moment(as_of))

    def sql(self) -> str:
        """The statement with which DuckDB attaches this lake, read-only."""
        return self._lake.sql()

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
            return None if self.closed else Table(self._lake.list("status"), self._title())
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
