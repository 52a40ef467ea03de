"""`lake.update`: brings datasets up to date."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

from lochan import _arguments, _lochan
from lochan.reports import MergePlan, Progress, UpdateReport

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack

    from lochan._arguments import Date
    from lochan.sources import Failures

    class Options(TypedDict, total=False):
        """What an update may be told beside the days; see `Updates.dataset`."""

        assets: Iterable[str] | None
        force: bool
        repair: bool
        workers: int | None
        batch_size: int | None
        source_options: Mapping[str, object] | None
        progress: ProgressOption
        max_retries: int | None
        retry_backoff_seconds: float | None
        dry_run: bool
        explain: Callable[[MergePlan], object] | None
        validate: str | None
        record: _arguments.Path | None

    class ManyOptions(Options, total=False):
        """The same with the days."""

        start: Date | None
        end: Date | None

    class BackfillOptions(Options, total=False):
        """The same where there is one commit."""

        token: str | None

__all__ = ["Updates"]

ProgressOption = Union[bool, Callable[[Progress], object], None]

# An update that ended so did nothing.
NEVER_BEGAN = ("INVALID_ARGUMENT", "NOT_FOUND", "LOCKED", "READ_ONLY")


class Updates:
    """`lake.update`: brings datasets up to date."""

    def __init__(self, lake: _lochan.Lake, failures: Failures) -> None:
        self._lake = lake
        self._failures = failures

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
        explain: Callable[[MergePlan], object] | None = None,
        validate: str | None = None,
        record: _arguments.Path | None = None,
        token: str | None = None,
    ) -> UpdateReport:
        """Asks the source for the days that are missing, failed or not final yet, and publishes them as one snapshot.

        start, end: "YYYY-MM-DD" or a date, both included; None: the spec's default_start (or the first day ever asked for),
        and today. assets: only these, for datasets that are asked by asset. force: ask again what is final. repair: ask again
        what failed, and only that. workers: requests at a time. source_options: fields of the source, for this call.
        progress: None shows a bar if somebody looks (a terminal, a notebook), False none; or a callable that gets a
        `Progress`; what it raises stops the update. dry_run: plan only. explain: gets a `MergePlan` once
        all rows are there and before a file is written; what it raises stops the update. validate: "strict" or "off" instead of what the spec's
        rules say. record: a folder that gets every answer as it came, for a feed to replay. token: a commit with the same
        token is not repeated; see `DataLake.commit_status`. What is None is the source's or the spec's.

        If some scopes failed, the others are published and `PartialError` is raised; the next update asks for the failed
        ones. Ctrl-C stops the update and leaves the lake as it was; the next one goes on from the pages that came. Every
        exception of an update that began has `.report`.
        """
        options = {
            "start": start, "end": end, "assets": assets, "force": force, "repair": repair, "workers": workers,
            "batch_size": batch_size, "source_options": source_options, "progress": progress, "max_retries": max_retries,
            "retry_backoff_seconds": retry_backoff_seconds, "dry_run": dry_run, "explain": explain, "validate": validate,
            "record": record, "token": token}
        return self._one(name, source, False, options)

    def backfill(
        self,
        name: str,
        source: str | None = None,
        start: Date | None = None,
        end: Date | None = None,
        **options: Unpack[BackfillOptions],
    ) -> UpdateReport:
        """An update between two days, which must be given; recorded as a backfill. options: as of `dataset`."""
        return self._one(name, source, True, {**options, "start": start, "end": end})

    def datasets(
        self,
        names: Iterable[str],
        source: str | None = None,
        *,
        parallel: int | None = None,
        stop_on_failure: bool = False,
        **options: Unpack[ManyOptions],
    ) -> list[UpdateReport]:
        """Several datasets; a report for each. options: as of `dataset`, but token.

        Those that others read (lists of assets, calendars) come first; independent ones are updated at the same time,
        `parallel` of them, by default 4. One that fails does not keep the others from being updated, unless
        stop_on_failure. At the end `PartialError` is raised (if all failed: the error of the first), with `.reports` of all
        that began, and the first failure as its `__cause__`.
        """
        if isinstance(names, str):
            raise TypeError(f"names: expected a list of names, got one str; use dataset({names!r})")
        asked = ["/".join(_arguments.names(name, source)) for name in names]
        return self._many(None, asked, parallel, stop_on_failure, options) if asked else []

    def source(
        self,
        name: str,
        *,
        parallel: int | None = None,
        stop_on_failure: bool = False,
        **options: Unpack[ManyOptions],
    ) -> list[UpdateReport]:
        """All enabled datasets of a source, as `datasets` does."""
        self._lake.text("source", name)  # there is such a source
        return self._many(name, None, parallel, stop_on_failure, options)

    def all(
        self,
        *,
        parallel: int | None = None,
        stop_on_failure: bool = False,
        **options: Unpack[ManyOptions],
    ) -> list[UpdateReport]:
        """All enabled datasets of the lake, as `datasets` does."""
        return self._many(None, None, parallel, stop_on_failure, options)

    def _one(self, name: str, source: str | None, backfill: bool, options: Mapping[str, Any]) -> UpdateReport:
        source, dataset = _arguments.names(name, source)
        reports: list[UpdateReport] = []
        failed: list[_lochan.Error] = []
        try:
            self._run(reports, failed, source, dataset, options, backfill=backfill)
        except _lochan.Error as e:
            e.report = reports[0] if reports else None
            e.__cause__ = failed[0].__cause__ if failed else None
            raise
        return reports[0]

    def _many(
        self,
        source: str | None,
        names: list[str] | None,
        parallel: int | None,
        stop_on_failure: bool,
        options: Mapping[str, Any],
    ) -> list[UpdateReport]:
        reports: list[UpdateReport] = []
        failed: list[_lochan.Error] = []
        order = {name: i for i, name in enumerate(names or ())}

        def place(report: UpdateReport) -> tuple[int, str]:
            name = f"{report.source}/{report.dataset}"
            return order.get(name, 0), name

        try:
            self._run(reports, failed, source, None, options, datasets=names, parallel=parallel or 0, stop_on_failure=stop_on_failure)
        except _lochan.Error as e:
            e.reports = sorted(reports, key=place)
            if failed:
                e.__cause__ = failed[0]
            raise
        return sorted(reports, key=place)

    def _run(
        self,
        reports: list[UpdateReport],
        failed: list[_lochan.Error],
        source: str | None,
        dataset: str | None,
        options: Mapping[str, Any],
        **which: Any,
    ) -> None:
        """Puts the reports of those that began into `reports`, and what they failed by into `failed`."""
        given = dict(options)
        progress = given.pop("progress", None)
        explain = given.pop("explain", None)
        bar = None
        if progress is None or progress is True:
            from lochan import _progress

            bar = _progress.bar(always=progress is True)
        shown = progress if callable(progress) else bar

        def told(fields: dict[str, Any], error: _lochan.Error | None) -> None:
            report = UpdateReport(**fields)
            began = report.status not in NEVER_BEGAN
            cause = self._failures.take(report.source, report.dataset)
            if began:
                reports.append(report)
            if error is not None:
                error.report = report if began else None
                error.__cause__ = cause
                failed.append(error)

        try:
            self._lake.update(
                told,
                source,
                dataset,
                progress=None if shown is None else lambda *now: shown(Progress(*now)),
                explain=None if explain is None else lambda *plan: explain(MergePlan(*plan)),
                **_request(given),
                **which,
            )
        except _lochan.Error:
            self._failures.reraise()
            raise
        finally:
            if bar is not None:
                bar.close()

    def __repr__(self) -> str:
        return "<lake.update: dataset, datasets, source, all, backfill>"


def _request(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the library takes them."""
    assets, record = options.pop("assets", None), options.pop("record", None)
    retries, backoff = options.pop("max_retries", None), options.pop("retry_backoff_seconds", None)
    return {
        "start": _arguments.date(options.pop("start", None)),
        "end": _arguments.date(options.pop("end", None)),
        "assets": assets if assets is None or isinstance(assets, str) else list(assets),
        "workers": options.pop("workers", None) or 0,
        "batch_size": options.pop("batch_size", None) or 0,
        "max_retries": -1 if retries is None else retries,
        "retry_backoff_seconds": -1.0 if backoff is None else backoff,
        "source_options": _arguments.pairs(options.pop("source_options", None)),
        "record": None if record is None else os.fspath(record),
        **options,
    }
