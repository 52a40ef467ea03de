"""What updates, checks and scans tell: plain, frozen, typed."""

from __future__ import annotations

from typing import NamedTuple

from lochan.table import Table

__all__ = ["AdoptReport", "BackupReport", "CommitStatus", "CompactReport", "ExpireReport", "FeedStats", "GcReport", "MergePlan",
           "Progress", "RawReport", "RebuildReport", "RepairReport", "RestoreReport", "ScanStats", "SourceAnswer", "UpdateReport",
           "VerifyReport"]


class Progress(NamedTuple):
    """A sign of life of an update, some ten times a second."""

    source: str
    dataset: str
    stage: str
    """plan, fetch, normalise, write, publish, done"""
    pages_done: int
    pages_total: int
    """Grows while pages are discovered."""
    rows: int
    bytes: int
    retries: int
    waiting_for: str | None
    """Why nothing moves; None while it moves."""


class MergePlan(NamedTuple):
    """What the merge of an update's rows would touch, told before a file is written."""

    source: str
    dataset: str
    rows: int
    """That go to the merge; rows found unchanged before are not among them."""
    partitions: int
    files: int
    """That may be rewritten."""
    files_bytes: int
    row_groups: int
    """Of the files, that have to be decoded; the others are copied as they are."""
    memory_bytes: int
    spilled_bytes: int


class UpdateReport(NamedTuple):
    """What an update did. rows_fetched = new + replaced + unchanged + duplicate + rejected + filtered."""

    source: str
    dataset: str
    kind: str
    """update or backfill"""
    status: str
    """OK, PARTIAL, or the name of the error"""
    error: str | None
    dry_run: bool
    nothing_to_do: bool
    """Everything that was asked for is final already."""
    update_id: str
    snapshot_id: int
    """-1: nothing was published."""
    scopes: int
    scopes_failed: int
    requests: int
    pages: int
    pages_resumed: int
    retries: int
    failures: int
    rows_fetched: int
    rows_new: int
    rows_replaced: int
    rows_unchanged: int
    rows_duplicate: int
    rows_rejected: int
    rows_filtered: int
    rows_removed: int
    """Old rows that a replacement took out."""
    rows_warned: int
    """Rows that broke a rule which only warns."""
    partitions_written: int
    partitions_skipped: int
    files_written: int
    bytes_fetched: int
    bytes_written: int
    plan_seconds: float
    fetch_seconds: float
    normalise_seconds: float
    """Of the worker threads, summed."""
    write_seconds: float
    publish_seconds: float
    seconds: float

    def __bool__(self) -> bool:
        """Whether all went well."""
        return self.status == "OK"

    def _headline(self) -> str:
        name = f"{self.source}/{self.dataset}"
        if self.status not in ("OK", "PARTIAL"):
            return f"{name}: {self.status}, {self.error}"
        if self.nothing_to_do:
            return f"{name}: nothing to do, all that was asked for is final"
        if self.dry_run:
            return f"{name}: would ask for {self.scopes:,} scopes; nothing was asked or written"
        return f"{name}: {'updated' if self.status == 'OK' else 'updated in part'}"

    def _pairs(self) -> list[tuple[str, str]]:
        from lochan import _show

        if self.nothing_to_do or self.dry_run:
            return []
        count = _show.count
        fetched = f"{count(self.rows_fetched, 'row')}, {_show.size(self.bytes_fetched)}, in {count(self.pages, 'page')}"
        if self.pages_resumed:
            fetched += f" ({self.pages_resumed:,} of them kept from an earlier try)"
        if self.retries:
            fetched += f", {self.retries:,} retries"
        kinds = ("new", "replaced", "unchanged", "duplicate", "rejected", "filtered")
        numbers = [(getattr(self, f"rows_{kind}"), kind) for kind in kinds]
        numbers += [(self.rows_removed, "old ones removed"), (self.rows_warned, "with a warning")]
        rows = ", ".join(f"{n:,} {kind}" for n, kind in numbers if n or kind == "new")
        written = f"{count(self.files_written, 'file')}, {_show.size(self.bytes_written)}" if self.files_written else "nothing"
        if self.partitions_skipped:
            written += f" ({self.partitions_skipped:,} partitions unchanged)"
        if self.snapshot_id >= 0:
            written += f"; snapshot {self.snapshot_id}"
        out = [("fetched", fetched), ("rows", rows), ("written", written)]
        if self.scopes_failed:
            out.append(("failed", f"{self.scopes_failed:,} of {count(self.scopes, 'scope')}: {self.error}"))
        stages = ", ".join(f"{stage} {_show.seconds(getattr(self, stage + '_seconds'))}"
                           for stage in ("plan", "fetch", "normalise", "write", "publish"))
        return [*out, ("took", f"{_show.seconds(self.seconds)}: {stages}")]

    def __repr__(self) -> str:
        from lochan import _show

        text = _show.pairs_text((f"  {name}", value) for name, value in self._pairs())
        return f"{self._headline()}\n{text}" if text else self._headline()

    def _repr_html_(self) -> str:
        from lochan import _show

        return _show.pairs_html(self._headline(), self._pairs())


class VerifyReport(NamedTuple):
    """What `DataLake.verify` found. It is true if nothing is wrong."""

    deep: bool
    files_checked: int
    rows_checked: int
    bytes_read: int
    problems: int
    unknown_files: int
    """Files of no commit, such as a write that was cut off leaves behind; they harm no reader."""
    details: Table
    """kind, source, dataset, path, detail of each problem and unknown file."""

    def __bool__(self) -> bool:
        return self.problems == 0

    def _headline(self) -> str:
        from lochan import _show

        found = "sound" if self else _show.count(self.problems, "problem")
        how = "every page was read" if self.deep else "sizes and footers only"
        return f"{found}: {_show.count(self.files_checked, 'file')}, {_show.count(self.rows_checked, 'row')} checked, {how}"

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.details!r}" if len(self.details) else self._headline()

    def _repr_html_(self) -> str:
        return f"<div><strong>{self._headline()}</strong></div>" + (self.details._repr_html_() if len(self.details) else "")


class CommitStatus(NamedTuple):
    """The fate of the commit that carried a token. It is true if that was published."""

    done: bool
    snapshot_id: int
    """-1 if not."""

    def __bool__(self) -> bool:
        return self.done


class ScanStats(NamedTuple):
    """What a reading did so far."""

    snapshot_id: int
    files: int
    """In the snapshot."""
    files_read: int
    """Left after pruning by the catalog's statistics."""
    row_groups_read: int
    bytes_read: int
    rows_returned: int


class FeedStats(NamedTuple):
    """What a feed did so far."""

    requests: int
    answered: int
    faults: int
    bytes: int
    limited: int
    """Refused because they were too many."""


class SourceAnswer(NamedTuple):
    """What `sources.test` got. Secrets are overwritten."""

    request: str
    """What was asked, with its address."""
    http_status: int
    content_type: str
    bytes: int
    seconds: float
    excerpt: str
    """The beginning of the body, on one line."""
    decoded: bool
    """It could be read: the rest is known."""
    rows: int
    columns: int
    names: str
    """Of the columns, separated by commas."""
    more: bool
    """The answer says that other pages follow."""
    http_version: int
    """10, 11, 20 or 30; 0: there was no answer."""

    def _pairs(self) -> list[tuple[str, str]]:
        from lochan import _show

        out = [("asked", self.request)]
        if self.http_status:
            kind = self.content_type or "no type"
            out.append(("answer", f"HTTP {self.http_status}, {kind}, {_show.size(self.bytes)}, {_show.seconds(self.seconds)}"))
        out += [("begins", self.excerpt)] if self.excerpt else []
        if self.decoded:
            out.append(("rows", f"{self.rows:,} of {_show.count(self.columns, 'column')}: {self.names or '-'}"))
        return [*out, ("more", "other pages follow")] if self.more else out

    def __repr__(self) -> str:
        from lochan import _show

        return _show.pairs_text(self._pairs())

    def _repr_html_(self) -> str:
        from lochan import _show

        return _show.pairs_html("", self._pairs())


class ExpireReport(NamedTuple):
    """What `expire` forgot."""

    dry_run: bool
    snapshots: int
    files: int
    """That no snapshot shows any more; `gc` removes them."""
    bytes: int

    def __repr__(self) -> str:
        from lochan import _show

        verb = "would forget" if self.dry_run else "forgot"
        return f"{verb} {_show.count(self.snapshots, 'snapshot')}; {_show.count(self.files, 'file')}, {_show.size(self.bytes)}, for gc"


class GcReport(NamedTuple):
    """What `gc` removed, or would remove."""

    dry_run: bool
    files: int
    bytes: int
    waiting: int
    """Files within their grace."""
    plan: Table
    """path, bytes, forgotten_at of those concerned."""

    def __repr__(self) -> str:
        from lochan import _show

        verb = "would remove" if self.dry_run else "removed"
        return f"{verb} {_show.count(self.files, 'file')}, {_show.size(self.bytes)}; {self.waiting:,} wait for the end of their grace"


class AdoptReport(NamedTuple):
    """What `adopt` took over; of a dry run what it would take."""

    dry_run: bool
    datasets: int
    files: int
    """That are new."""
    rows: int
    """Of them."""
    bytes: int
    files_known: int
    """Adopted before: nothing is done for them."""
    snapshot_id: int
    """-1: there was nothing to do, or a dry run."""
    plan: Table
    """Every file: source, dataset, path, partition, rows, bytes, state."""


class CompactReport(NamedTuple):
    """What `compact` joined; of a dry run only the plan."""

    dry_run: bool
    groups: int
    """New files."""
    files_joined: int
    """That they stand for."""
    rows: int
    bytes_read: int
    bytes_written: int
    groups_copied: int
    """Row groups that were not decoded."""
    groups_decoded: int
    bytes_planned: int
    groups_left: int
    """Over max_input_bytes."""
    conflicts: int
    """Groups that others changed meanwhile: they stay as they are."""
    tables_skipped: int
    """That only another program understands."""
    groups_clustered: int
    """Of the new files: partitions in the order of cluster_columns."""
    snapshot_id: int
    """Of the last commit; -1: nothing was joined."""
    plan: Table
    """source, dataset, folder, files, rows, bytes, action ("join" or "cluster") of each group."""

    def __repr__(self) -> str:
        from lochan import _show

        if self.dry_run:
            files = sum(row["files"] for row in self.plan.rows())
            return f"would join {_show.count(files, 'file')} into {len(self.plan):,}, {_show.size(self.bytes_planned)}"
        return f"joined {_show.count(self.files_joined, 'file')} into {self.groups:,}, {_show.count(self.rows, 'row')}"


class RepairReport(NamedTuple):
    """What `repair` took out, or would take out. It is true unless there are problems that it cannot repair."""

    dry_run: bool
    files_damaged: int
    files_taken_out: int
    rows_taken_out: int
    intervals_reopened: int
    """Of ledgers: the next update asks for these days again."""
    not_repaired: int
    """Problems of another kind: the plan says what helps."""
    snapshot_id: int
    """Of the last commit; -1: nothing was taken out."""
    plan: Table
    """source, dataset, path, problem, action ("fetch again", "take out", "rebuild", "restore a backup"), detail."""

    def __bool__(self) -> bool:
        return self.not_repaired == 0

    def _headline(self) -> str:
        from lochan import _show

        if not len(self.plan):
            return "nothing to repair"
        done = "nothing was changed" if self.dry_run else f"{self.files_taken_out:,} taken out with {_show.count(self.rows_taken_out, 'row')}"
        other = f"; {_show.count(self.not_repaired, 'problem')} of another kind" if self.not_repaired else ""
        return f"{_show.count(self.files_damaged, 'damaged file')}, {done}{other}"

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.plan!r}" if len(self.plan) else self._headline()

    def _repr_html_(self) -> str:
        return f"<div><strong>{self._headline()}</strong></div>" + (self.plan._repr_html_() if len(self.plan) else "")


class RawReport(NamedTuple):
    """What `rebuild_from_raw` did, or would do. It is true if the answers had all days of the ledger."""

    plan: bool
    updates: int
    """Whose answers were read."""
    scopes: int
    scopes_failed: int
    """That the spec as it is now does not take."""
    answers: int
    rows: int
    """Of the table afterwards."""
    rows_new: int
    rows_replaced: int
    rows_unchanged: int
    rows_removed: int
    """That the answers do not give."""
    rows_rejected: int
    lacking: int
    """Rows of `lacks`."""
    files_written: int
    bytes_written: int
    snapshot_id: int
    """-1: nothing changed, or a plan."""
    lacks: Table
    """Days that were not kept: source, dataset, asset (None: all), variant, day_from, day_to."""

    def __bool__(self) -> bool:
        return self.lacking == 0

    def _headline(self) -> str:
        from lochan import _show

        would = "would build from" if self.plan else "built from"
        return (f"{would} {_show.count(self.answers, 'answer')} of {_show.count(self.updates, 'update')}: {_show.count(self.rows, 'row')}, "
                f"{self.rows_new:,} new, {self.rows_replaced:,} replaced, {self.rows_unchanged:,} unchanged, {self.rows_removed:,} removed")

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.lacks!r}" if len(self.lacks) else self._headline()

    def _repr_html_(self) -> str:
        return f"<div><strong>{self._headline()}</strong></div>" + (self.lacks._repr_html_() if len(self.lacks) else "")


class BackupReport(NamedTuple):
    """What `backup` made."""

    snapshot_id: int
    files: int
    """Of the whole backup."""
    bytes: int
    files_copied: int
    """That were not there yet."""
    bytes_copied: int
    files_removed: int
    """That only the backup before needed."""


class RestoreReport(NamedTuple):
    """What `restore` made. It is true if nothing is wrong."""

    snapshot_id: int
    files: int
    bytes: int
    forgotten: int
    """Snapshots whose files the backup does not hold."""
    problems: int
    """Of verify=True."""
    details: Table | None
    """kind, source, dataset, path, detail of each problem; None without verify."""

    def __bool__(self) -> bool:
        return self.problems == 0


class RebuildReport(NamedTuple):
    """What `rebuild` made. It is true if no file is missing."""

    records: int
    """Of the journal."""
    tables: int
    files: int
    rows: int
    missing: int
    """Of these files are not there, or not whole."""
    unknown_files: int
    """That belong to no commit."""
    adopted: int
    """Of them are part of tables now."""
    details: Table
    """kind, source, dataset, path, detail of what is not as it should be."""

    def __bool__(self) -> bool:
        return self.missing == 0
