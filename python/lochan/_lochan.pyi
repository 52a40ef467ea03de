"""The extension module. Use `lochan`, `lochan.errors` and `lochan.parquet` instead."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

from lochan.reports import SourceAnswer, UpdateReport

_Capsule = Any

def version() -> str: ...

class Error(Exception):
    """What every failure of lochan is; fields are None where they do not apply."""

    report: UpdateReport | None
    """Of an update that failed after it began."""
    reports: list[UpdateReport] | None
    """Of `update.datasets`, `update.source` and `update.all`."""
    answer: SourceAnswer | None
    """Of `sources.test`."""

    message: str
    hint: str
    code: int
    name: str
    file: str | None
    table: str | None
    column: str | None
    offset: int | None
    row: int | None
    line: int | None
    line_column: int | None
    sys_errno: int | None
    http_status: int | None
    exit_code: int
    retryable: bool
    retry_after: float | None

class ArgumentError(Error, ValueError): ...
class OutOfMemoryError(Error, MemoryError): ...
class MemoryLimitError(Error, MemoryError): ...
class InputOutputError(Error, OSError): ...
class NoSpaceError(Error, OSError): ...
class NotFoundError(Error, FileNotFoundError, LookupError): ...
class ExistsError(Error, FileExistsError): ...
class ReadOnlyError(Error, PermissionError): ...
class CorruptError(Error, ValueError): ...
class UnsupportedError(Error, NotImplementedError): ...
class SchemaError(Error, ValueError): ...
class SpecError(Error, ValueError): ...
class ConflictError(Error): ...
class LockedError(Error): ...
class CancelledError(Error): ...
class TimedOutError(Error, TimeoutError): ...
class NetworkError(Error, ConnectionError): ...
class HttpError(Error): ...
class PageError(Error): ...
class RateLimitError(Error): ...
class ValidationError(Error, ValueError): ...
class CatalogError(Error): ...
class VersionError(Error): ...
class PartialError(Error): ...
class ValueRangeError(Error, ValueError): ...
class AccountingError(Error): ...
class StaleError(Error): ...
class DataError(Error, ValueError): ...
class JournalAheadError(Error): ...
class InternalError(Error, RuntimeError): ...

@final
class Batch:
    """Some rows of a stream, for any library that reads Arrow."""

    num_rows: int
    column_names: list[str]
    def __len__(self) -> int: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[_Capsule, _Capsule]: ...
    def __arrow_c_schema__(self) -> _Capsule: ...

@final
class Batches(Iterator[Batch]):
    """Batches, one after the other."""

    def __iter__(self) -> Batches: ...
    def __next__(self) -> Batch: ...

@final
class ParquetReader:
    closed: bool
    def __new__(
        cls,
        source: str | bytes | os.PathLike[str],
        strings: str = "string",
        threads: int = 0,
        memory_limit: int = 0,
        arrow_schema: bool = True,
        mapped: bool = False,
        max_page_bytes: int = 0,
    ) -> ParquetReader: ...
    def close(self) -> None: ...
    def info(self) -> dict[str, Any]: ...
    def metadata(self) -> dict[str, str]: ...
    def counters(self) -> dict[str, int]: ...
    def list(self, name: str) -> _Capsule: ...
    def stream(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        row_groups: Sequence[int] | None = None,
        batch_rows: int = 0,
        limit: int = -1,
        rows: Sequence[tuple[int, int]] | None = None,
    ) -> _Capsule: ...
    def batches(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        row_groups: Sequence[int] | None = None,
        batch_rows: int = 0,
        limit: int = -1,
        rows: Sequence[tuple[int, int]] | None = None,
    ) -> Batches: ...
    def schema(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        row_groups: Sequence[int] | None = None,
        batch_rows: int = 0,
        limit: int = -1,
        rows: Sequence[tuple[int, int]] | None = None,
    ) -> _Capsule: ...

@final
class Table:
    num_rows: int
    column_names: list[str]
    def __arrow_c_stream__(self, requested_schema: object = None) -> _Capsule: ...
    def __arrow_c_schema__(self) -> _Capsule: ...
    def values(self, limit: int = -1) -> list[tuple[Any, ...]]: ...

@final
class ScanStream:
    stats: tuple[int, int, int, int, int, int]
    def __arrow_c_stream__(self, requested_schema: object = None) -> _Capsule: ...
    def __arrow_c_schema__(self) -> _Capsule: ...
    def __iter__(self) -> Batches: ...
    def table(self) -> Table: ...
    def check(self) -> None: ...
    def release(self) -> None: ...

@final
class Lake:
    closed: bool
    path: str
    read_only: bool
    warning: str | None
    def __new__(
        cls,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        threads: int = 0,
        memory_limit: int = 0,
        lock_timeout_ms: int = 0,
        runs: bool = False,
    ) -> Lake: ...
    def close(self) -> None: ...
    def cancel(self) -> None: ...
    def resume(self) -> None: ...
    def do(self, call: str, a: str | None = None, b: str | None = None, c: str | None = None, d: str | None = None,
           number: int = -1, flag: bool = False, /) -> None: ...
    def number(self, call: str, a: str | None = None, b: str | None = None, c: str | None = None, d: str | None = None,
               number: int = -1, flag: bool = False, /) -> int: ...
    def text(self, call: str, a: str | None = None, b: str | None = None, c: str | None = None, d: str | None = None,
             number: int = -1, flag: bool = False, /) -> str: ...
    def rows(self, call: str, a: str | None = None, b: str | None = None, c: str | None = None, d: str | None = None,
             number: int = -1, flag: bool = False, /) -> Table: ...
    def stream(self, call: str, a: str | None = None, b: str | None = None, c: str | None = None, d: str | None = None,
               number: int = -1, flag: bool = False, /) -> ScanStream: ...
    def add(self, kind: str, yaml: str | bytes, file: str | None, replace: bool, /) -> None: ...
    def compare(self, yaml: str | bytes, file: str | None, /) -> bool: ...
    def expire(self, older_than: int, keep: int, dry_run: bool, token: str | None, /) -> tuple[int, int, int]: ...
    def gc(self, grace: int, dry_run: bool, token: str | None, /) -> tuple[int, int, int, Table]: ...
    def backup(self, folder: str | bytes | os.PathLike[str], all: bool, link: bool, progress: Callable[[int, int], object] | None,
               /) -> tuple[int, int, int, int, int, int]: ...
    def adopt(self, dir: str, source: str | None, dataset: str | None, key: Sequence[str] | None, how: int, dry_run: bool,
              /) -> tuple[tuple[int, int, int, int, int, int], Table]: ...
    def compact(self, source: str | None, dataset: str | None, full: bool, cluster: bool, min_files: int, target_bytes: int,
                max_input_bytes: int, min_file_bytes: int, dry_run: bool,
                /) -> tuple[tuple[int, int, int, int, int, int, int, int, int, int, int, int, int], Table]: ...
    def repair(self, source: str | None, dataset: str | None, deep: bool, force: bool, dry_run: bool,
               /) -> tuple[tuple[int, int, int, int, int, int], Table]: ...
    def raw_rebuild(self, source: str, dataset: str, updates: Sequence[str] | None, since: str | None, partial: bool, plan: bool, owed: bool,
                    /) -> tuple[tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int], Table]: ...
    def raw_trim(self, source: str | None, dataset: str | None, max_bytes: int, /) -> tuple[int, int]: ...
    def commit_status(self, token: str, /) -> tuple[bool, int]: ...
    def source_test(self, answer: dict[str, Any], source: str, dataset: str | None, start: str | None, end: str | None,
                    parameters: Sequence[str] | None, /) -> None: ...
    def source_register(self, source: str, plan: Callable[[dict[str, Any], dict[str, Any]], list[tuple[str, str]]] | None,
                        fetch: Callable[[dict[str, Any], dict[str, Any]], Iterator[Any]], parallel: bool, /) -> None: ...
    def update(
        self,
        told: Callable[[dict[str, Any], Error | None], object],
        source: str | None,
        dataset: str | None,
        *,
        start: str | None = None,
        end: str | None = None,
        assets: Sequence[str] | None = None,
        force: bool = False,
        repair: bool = False,
        backfill: bool = False,
        dry_run: bool = False,
        workers: int = 0,
        batch_size: int = 0,
        max_retries: int = -1,
        retry_backoff_seconds: float = -1.0,
        source_options: Sequence[str] | None = None,
        token: str | None = None,
        progress: Callable[..., object] | None = None,
        validate: str | None = None,
        record: str | None = None,
        datasets: Sequence[str] | None = None,
        parallel: int = 0,
        stop_on_failure: bool = False,
        explain: Callable[..., object] | None = None,
    ) -> None: ...
    def verify(
        self,
        *,
        deep: bool = False,
        source: str | None = None,
        dataset: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> tuple[dict[str, int], Table]: ...
    def scan(
        self,
        source: str,
        dataset: str,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int = -1,
        as_of: str | None = None,
        batch_rows: int = 0,
        known_as_of: str | None = None,
    ) -> ScanStream: ...
    def runs_scan(
        self,
        table: str,
        *,
        runs: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        tick_min: int | None = None,
        tick_max: int | None = None,
        where: str | None = None,
        limit: int = -1,
        batch_rows: int = 0,
        as_of: str | None = None,
    ) -> ScanStream: ...

@final
class Run:
    def __new__(
        cls,
        lake: Lake,
        run_id: str,
        *,
        tick_bucket_size: int = 0,
        row_group_size: int = 0,
        compression: str | None = None,
    ) -> Run: ...
    def append(
        self,
        summary: dict[str, Any],
        table: str,
        data: Any,
        *,
        skip_schema: bool = False,
        validate_rows: bool = False,
        not_strict: bool = False,
        durability: int = 0,
        token: str | None = None,
    ) -> None: ...
    def appender(
        self,
        table: str,
        *,
        rows: int = 0,
        bytes: int = 0,
        ticks: int = 0,
        skip_schema: bool = False,
        validate_rows: bool = False,
        not_strict: bool = False,
        durability: int = 0,
    ) -> RunAppender: ...
    def scan(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        tick_min: int | None = None,
        tick_max: int | None = None,
        where: str | None = None,
        limit: int = -1,
        batch_rows: int = 0,
        as_of: str | None = None,
    ) -> ScanStream: ...
    def manifest(self, table: str) -> Table: ...
    def describe(self, parameters: str | None, seed: str | None, code_version: str | None) -> None: ...

@final
class RunAppender:
    state: tuple[int, int, int, int]
    def append(self, told: dict[str, Any], data: Any) -> None: ...
    def flush(self, summary: dict[str, Any]) -> None: ...
    def discard(self) -> None: ...

def init_lake(
    path: str | os.PathLike[str],
    *,
    read_only: bool = False,
    threads: int = 0,
    memory_limit: int = 0,
    lock_timeout_ms: int = 0,
) -> None: ...
def do(call: str, a: str | None = None, /) -> None: ...
def text(call: str, a: str | None = None, /) -> str: ...
def rows(call: str, a: str | None = None, /) -> Table: ...
def restore_lake(backup: str | bytes | os.PathLike[str], path: str | bytes | os.PathLike[str], verify: bool, link: bool,
                 /) -> tuple[tuple[int, int, int, int, int], Table | None]: ...
def rebuild_lake(path: str | bytes | os.PathLike[str], cut: bool, adopt: bool, /) -> tuple[tuple[int, int, int, int, int, int, int], Table]: ...
def spec_draft(sample: str | bytes, name: str, /) -> tuple[str, str]: ...
def make_run_id(prefix: str) -> str: ...
def table_empty(table: str) -> Table: ...
def run_rebuild(
    path: str | os.PathLike[str], run_id: str, table: str, *, tick_bucket_size: int = 0
) -> tuple[dict[str, Any], Table]: ...

@final
class Feed:
    port: int
    running: bool
    stats: tuple[int, int, int, int, int]
    def __new__(
        cls,
        path: str | os.PathLike[str],
        *,
        port: int = 0,
        date_column: str | None = None,
        latency_ms: int = 0,
        page_cap: int = 0,
        rate_per_second: int = 0,
        faults: str | None = None,
        fault_seed: int = 0,
        replay: bool = False,
        tls_certificate: str | None = None,
        tls_key: str | None = None,
    ) -> Feed: ...
    def stop(self) -> None: ...

def verify_parquet(path: str | os.PathLike[str]) -> tuple[dict[str, int], _Capsule]: ...
def write_parquet(
    data: Any,
    path: str | os.PathLike[str],
    *,
    compression: str = "zstd",
    level: int = 0,
    row_group_rows: int = 0,
    row_group_bytes: int = 0,
    page_bytes: int = 0,
    page_rows: int = 0,
    encodings: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    sorting: Sequence[str] | None = None,
    dictionary: bool = True,
    statistics: bool = True,
    crc: bool = True,
    page_index: bool = True,
    page_v2: bool = False,
    overwrite: bool = False,
    sync: bool = True,
    threads: int = 0,
    memory_limit: int = 0,
    bloom: Sequence[str] | None = None,
    max_statistics_bytes: int = 0,
    arrow_schema: bool = True,
) -> int: ...
