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
from lochan.reports import CommitStatus as CommitStatus
from lochan.reports import Progress as Progress
from lochan.reports import ScanStats as ScanStats
from lochan.reports import UpdateReport as UpdateReport
from lochan.reports import VerifyReport as VerifyReport
from lochan.scan import Scan as Scan
from lochan.table import Table as Table

__version__: str = _version()

if TYPE_CHECKING:
    from lochan import io as io
else:

    def __getattr__(name: str) -> object:
        """lochan.io is loaded when it is first asked for."""
        if name == "io":
            import importlib

            return importlib.import_module("lochan.io")
        raise AttributeError(f"module 'lochan' has no attribute '{name}'")
