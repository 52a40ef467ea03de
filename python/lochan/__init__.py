"""lochan: an embedded data lake engine, and a Parquet codec of its own.

Rows go in and come out through the Arrow PyCapsule interface, so Polars, pyarrow, pandas and DuckDB exchange data with
lochan without a copy, and none of them is needed to import it.
"""

from typing import TYPE_CHECKING

from lochan import parquet as parquet
from lochan._lochan import Batch as Batch
from lochan._lochan import version as _version
from lochan.errors import *  # noqa: F403  (one class for each code of the library)
from lochan.errors import Error as Error
from lochan.feed import Feed as Feed
from lochan.lake import DataLake as DataLake
from lochan.reports import AdoptReport as AdoptReport
from lochan.reports import BackupReport as BackupReport
from lochan.reports import CommitStatus as CommitStatus
from lochan.reports import CompactReport as CompactReport
from lochan.reports import ExpireReport as ExpireReport
from lochan.reports import GcReport as GcReport
from lochan.reports import MergePlan as MergePlan
from lochan.reports import Progress as Progress
from lochan.reports import RebuildReport as RebuildReport
from lochan.reports import RawReport as RawReport
from lochan.reports import RepairReport as RepairReport
from lochan.reports import RestoreReport as RestoreReport
from lochan.reports import ScanStats as ScanStats
from lochan.reports import SourceAnswer as SourceAnswer
from lochan.reports import UpdateReport as UpdateReport
from lochan.reports import VerifyReport as VerifyReport
from lochan.scan import Rows as Rows
from lochan.scan import Scan as Scan
from lochan.table import Table as Table

__version__: str = _version()

# Loaded when they are first asked for.
if TYPE_CHECKING:
    from lochan import io as io
    from lochan.callback import RequestContext as RequestContext
    from lochan.callback import Scope as Scope
    from lochan.callback import Source as Source
else:

    def __getattr__(name: str) -> object:
        import importlib

        if name == "io":
            return importlib.import_module("lochan.io")
        if name in ("RequestContext", "Scope", "Source"):
            return getattr(importlib.import_module("lochan.callback"), name)
        raise AttributeError(f"module 'lochan' has no attribute '{name}'")
