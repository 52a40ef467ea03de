"""The exceptions of lochan; see errors.py. Written by tools/python_errors.py."""

from lochan._lochan import AccountingError as AccountingError
from lochan._lochan import ArgumentError as ArgumentError
from lochan._lochan import CancelledError as CancelledError
from lochan._lochan import CatalogError as CatalogError
from lochan._lochan import ConflictError as ConflictError
from lochan._lochan import CorruptError as CorruptError
from lochan._lochan import DataError as DataError
from lochan._lochan import Error as Error
from lochan._lochan import ExistsError as ExistsError
from lochan._lochan import HttpError as HttpError
from lochan._lochan import InputOutputError as InputOutputError
from lochan._lochan import InternalError as InternalError
from lochan._lochan import JournalAheadError as JournalAheadError
from lochan._lochan import LockedError as LockedError
from lochan._lochan import MemoryLimitError as MemoryLimitError
from lochan._lochan import NetworkError as NetworkError
from lochan._lochan import NoSpaceError as NoSpaceError
from lochan._lochan import NotFoundError as NotFoundError
from lochan._lochan import OutOfMemoryError as OutOfMemoryError
from lochan._lochan import PageError as PageError
from lochan._lochan import PartialError as PartialError
from lochan._lochan import RateLimitError as RateLimitError
from lochan._lochan import ReadOnlyError as ReadOnlyError
from lochan._lochan import SchemaError as SchemaError
from lochan._lochan import SpecError as SpecError
from lochan._lochan import StaleError as StaleError
from lochan._lochan import TimedOutError as TimedOutError
from lochan._lochan import UnsupportedError as UnsupportedError
from lochan._lochan import ValidationError as ValidationError
from lochan._lochan import ValueRangeError as ValueRangeError
from lochan._lochan import VersionError as VersionError

__all__ = [
    "Error",
    "ArgumentError",
    "OutOfMemoryError",
    "MemoryLimitError",
    "InputOutputError",
    "NoSpaceError",
    "NotFoundError",
    "ExistsError",
    "ReadOnlyError",
    "CorruptError",
    "UnsupportedError",
    "SchemaError",
    "SpecError",
    "ConflictError",
    "LockedError",
    "CancelledError",
    "TimedOutError",
    "NetworkError",
    "HttpError",
    "PageError",
    "RateLimitError",
    "ValidationError",
    "CatalogError",
    "VersionError",
    "PartialError",
    "ValueRangeError",
    "AccountingError",
    "StaleError",
    "DataError",
    "JournalAheadError",
    "InternalError",
]
