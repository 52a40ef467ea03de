"""lochan.io: tables that simulations and experiments write tick after tick, run by run, and read while they grow."""

from lochan.io import tables as tables
from lochan.io.config import IoSettings as IoSettings
from lochan.io.dataset import Appender as Appender
from lochan.io.dataset import Dataset as Dataset
from lochan.io.dataset import scan_runs as scan_runs
from lochan.io.errors import IoConfigError as IoConfigError
from lochan.io.errors import IoError as IoError
from lochan.io.errors import IoManifestError as IoManifestError
from lochan.io.errors import IoSchemaError as IoSchemaError
from lochan.io.errors import IoWriteError as IoWriteError
from lochan.io.errors import ManifestWarning as ManifestWarning
from lochan.io.manifest import PartitionMeta as PartitionMeta
from lochan.io.manifest import PartMeta as PartMeta
from lochan.io.manifest import TableManifest as TableManifest
from lochan.io.names import SCHEMA_V as SCHEMA_V
from lochan.io.names import RunId as RunId
from lochan.io.names import TableName as TableName
from lochan.io.names import make_run_id as make_run_id
