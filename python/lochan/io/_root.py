"""The lake of one folder, opened when it is first needed and shared by all `Dataset`s of a process."""

from __future__ import annotations

import os
import threading
import warnings
import weakref

from lochan import _lochan
from lochan.io.config import IoSettings
from lochan.io.errors import REBUILD, IoError, IoManifestError, IoWriteError, ManifestWarning, make, of_lake, wrap

# By process: what a parent opened is of no use to its child.
_roots: weakref.WeakValueDictionary[tuple[int, str], Root] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def of(settings: IoSettings) -> Root:
    key = os.getpid(), os.path.realpath(settings.root_dir)
    with _lock:
        root = _roots.get(key)
        if root is None:
            root = _roots[key] = Root(key[1])
        return root


class Root:
    """Looks at lake.db before each use: one that was replaced or made again is opened again."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._lake: _lochan.Lake | None = None
        self._file: tuple[int, int] | None = None

    def _find(self) -> tuple[int, int] | None:
        try:
            found = os.stat(os.path.join(self.path, "lake.db"))
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _current(self) -> _lochan.Lake | None:
        """The lake as it is now; None if there is none. Holds the lock."""
        if self._process != os.getpid():
            raise make(IoError, f"this Dataset was used in process {self._process}, before fork; make a new one in the child")
        file = self._find()
        if self._lake is not None and file == self._file:
            return self._lake
        self._lake = None
        if file is None and not os.path.isdir(os.path.join(self.path, "journal")):
            return None
        self._lake = _lochan.Lake(self.path, runs=True)
        self._file = file
        return self._lake

    def for_reading(self) -> _lochan.Lake | None:
        """None: there is no lake here, or another process is just making it."""
        try:
            with self._lock:
                lake = self._current()
        except _lochan.NotFoundError:
            return None
        except OSError as e:
            if isinstance(e, _lochan.Error):
                raise of_lake(e) from e
            raise make(IoManifestError, f"{self.path}: {e.strerror}") from e
        except _lochan.Error as e:
            raise of_lake(e) from e
        if lake is not None and lake.warning is not None:
            warnings.warn(f"{lake.warning} ({REBUILD})", ManifestWarning, stacklevel=4)
        return lake

    def for_writing(self) -> _lochan.Lake:
        """Makes the lake if there is none."""
        lake = self.for_reading()
        if lake is None:
            try:
                with self._lock:
                    _lochan.init_lake(self.path)
            except _lochan.ExistsError:
                pass  # another process was faster
            except _lochan.ArgumentError as e:
                raise wrap(IoManifestError, e, f"if these are parts of runs: {REBUILD}") from e
            except _lochan.Error as e:
                raise wrap(IoWriteError, e) from e
            lake = self.for_reading()
        if lake is None:
            raise make(IoManifestError, f"{self.path}: the lake is gone again")
        if lake.warning is not None:
            raise make(IoManifestError, lake.warning, REBUILD)
        return lake

    def has_parts(self, run_id: str, table: str) -> bool:
        """Whether there are parts that no catalog tells of."""
        folder = os.path.join(self.path, "runs", run_id, "tables", table)
        try:
            return any(entry.name.startswith("bucket=") for entry in os.scandir(folder))
        except OSError:
            return False

    def let_go(self) -> None:
        """Closes the lake; the next use opens it again. Readings under way go on."""
        with self._lock:
            self._lake = None
