"""lochan.io when writing fails, and when Arrow lies."""
import ctypes
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import textwrap

import lochan
import polars as pl
import pyarrow as pa
import pytest
from io_data import exchange, files, holdings, settings
from lake_data import ROOT
from lochan.io import Dataset, IoManifestError, IoSchemaError, IoWriteError


@pytest.fixture
def run(tmp_path):
    run = Dataset(settings(tmp_path / "out"), "r")
    run.append("holdings", holdings([1]))
    return run


def limited(size, work):
    """Runs work while no file may become larger than size; the disk is full, so to speak."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- the two ways in which an append fails


def test_a_part_that_cannot_be_written(run, tmp_path):
    before = files(tmp_path / "out" / "runs")
    with pytest.raises(IoWriteError) as caught:
        limited(200, lambda: run.append("holdings", holdings([2, 150])))
    assert caught.value.sys_errno and isinstance(caught.value.__cause__, lochan.Error) and "bucket=000000" in str(caught.value)
    assert files(tmp_path / "out" / "runs") == before and run.read("holdings").height == 1
    assert run.append("holdings", holdings([2, 150]))["rows"] == 2


def test_a_catalog_that_cannot_be_written(run, tmp_path):
    wal = tmp_path / "out" / "lake.db-wal"
    tick = 2
    while wal.stat().st_size < 200_000:
        run.append("holdings", holdings([tick]))
        tick += 1
    parts = run.manifest("holdings").row_count
    with pytest.raises(IoManifestError) as caught:
        limited(100_000, lambda: run.append("holdings", holdings([tick])))
    assert isinstance(caught.value.__cause__, lochan.Error)
    again = Dataset(settings(tmp_path / "out"), "r")
    assert run.read("holdings").height == again.read("holdings").height == parts
    run.append("holdings", holdings([tick]))
    assert run.read("holdings").height == parts + 1
    with lochan.DataLake.open(tmp_path / "out") as lake:
        assert lake.verify(deep=True).problems == 0


def test_a_journal_that_cannot_be_written(run, tmp_path):
    """What is reported as failed is not there, or the token tells that it is."""
    shutil.move(tmp_path / "out" / "journal", tmp_path / "journal")
    (tmp_path / "out" / "journal").write_text("in the way")
    again = Dataset(settings(tmp_path / "out"), "r")
    with pytest.raises(IoManifestError):
        again.append_once("holdings", holdings([2]), "token")
    (tmp_path / "out" / "journal").unlink()
    shutil.move(tmp_path / "journal", tmp_path / "out" / "journal")
    fresh = Dataset(settings(tmp_path / "out"), "r")
    with lochan.DataLake.open(tmp_path / "out") as lake:
        landed = bool(lake.commit_status("token"))
    assert fresh.read("holdings").height == (2 if landed else 1)
    fresh.append_once("holdings", holdings([2]), "token")
    assert fresh.read("holdings").height == 2


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is read-only to root")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(IoWriteError):
        Dataset(settings(tmp_path / "out"), "r").append("holdings", holdings([1]))
    tmp_path.chmod(0o700)


def test_a_root_that_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("a file")
    run = Dataset(settings(tmp_path / "out"), "r")
    for work in (lambda: run.append("holdings", holdings([1])), lambda: run.read("holdings"), lambda: run.manifest("holdings")):
        with pytest.raises(IoManifestError):
            work()
    assert (tmp_path / "out").read_text() == "a file"


def test_an_appender_keeps_rows_that_could_not_be_written(run):
    appender = run.appender("holdings", rows=3)
    appender.append(holdings([2]))
    with pytest.raises(IoWriteError) as caught:
        limited(200, appender.close)
    assert caught.value.kept and not appender.closed and appender.buffered_rows == 1
    with pytest.raises(IoWriteError) as caught:
        limited(200, lambda: appender.append(holdings([3, 4, 5])))
    assert caught.value.kept and appender.buffered_rows == 4
    appender.close()
    assert sorted(run.read("holdings")["tick"]) == [1, 2, 3, 4, 5]


# --- Arrow that lies


class Schema(ctypes.Structure):
    _fields_ = [("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_void_p), ("flags", ctypes.c_int64),
                ("n_children", ctypes.c_int64), ("children", ctypes.c_void_p), ("dictionary", ctypes.c_void_p),
                ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)]


class Array(ctypes.Structure):
    _fields_ = [("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64), ("n_buffers", ctypes.c_int64),
                ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)), ("children", ctypes.c_void_p),
                ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)]

    def child(self, i):
        return ctypes.cast(self.children, ctypes.POINTER(ctypes.POINTER(Array)))[i].contents


def pointer(capsule, name):
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return get(capsule, name)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def release_schema(address):
    Schema.from_address(address).release = None


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def release_array(address):
    Array.from_address(address).release = None


def copy_into(to, struct, release, keep):
    """The same struct with children of its own; what it points to is kept by `keep`, so that lies harm nobody else."""
    ctypes.memmove(ctypes.addressof(to), ctypes.addressof(struct), ctypes.sizeof(struct))
    to.release = ctypes.cast(release, ctypes.c_void_p).value
    if isinstance(struct, Array) and struct.n_buffers:
        buffers = (ctypes.c_void_p * struct.n_buffers)(*struct.buffers[: struct.n_buffers])
        to.buffers = ctypes.cast(buffers, ctypes.POINTER(ctypes.c_void_p))
        keep.append(buffers)
    children = ctypes.cast(struct.children, ctypes.POINTER(ctypes.c_void_p))
    copies = [type(struct)() for _ in range(struct.n_children)]
    for i, copy in enumerate(copies):
        copy_into(copy, type(struct).from_address(children[i]), release, keep)
    addresses = (ctypes.c_void_p * max(len(copies), 1))(*(ctypes.addressof(copy) for copy in copies))
    to.children = ctypes.cast(addresses, ctypes.c_void_p)
    keep += [*copies, addresses]


class Lying:
    """Rows whose structs were tampered with by `lie(schema, array)`."""

    def __init__(self, batch, lie):
        self.lie, self.keep = lie, [batch]

    def __arrow_c_array__(self, requested_schema=None):
        capsules = self.keep[0].__arrow_c_array__()
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        schema, array = Schema(), Array()
        copy_into(schema, Schema.from_address(pointer(capsules[0], b"arrow_schema")), release_schema, self.keep)
        copy_into(array, Array.from_address(pointer(capsules[1], b"arrow_array")), release_array, self.keep)
        self.lie(schema, array)
        KEPT.append([self.keep, capsules, schema, array])
        return make(ctypes.addressof(schema), b"arrow_schema", None), make(ctypes.addressof(array), b"arrow_array", None)


KEPT = []


def put(struct, **fields):
    for name, value in fields.items():
        setattr(struct, name, value)


def set_offset(array, i, value):
    offsets = ctypes.cast(array.buffers[1], ctypes.POINTER(ctypes.c_int32))
    offsets[i] = value


LIES = {
    "fewer rows in a child": lambda s, a: put(a.child(0), length=1),
    "more rows than children": lambda s, a: put(a, length=1000),
    "a negative length": lambda s, a: put(a, length=-1),
    "a length that overflows": lambda s, a: put(a, length=2**63 - 1),
    "a negative offset": lambda s, a: put(a.child(0), offset=-1),
    "an offset that overflows": lambda s, a: put(a.child(0), offset=2**63 - 1),
    "an offset past the end": lambda s, a: put(a, offset=5),
    "more nulls than rows": lambda s, a: put(a.child(0), null_count=99),
    "a negative null count": lambda s, a: put(a.child(0), null_count=-7),
    "nulls without a bitmap": lambda s, a: put(a.child(0), null_count=1),
    "a buffer too few": lambda s, a: put(a.child(0), n_buffers=1),
    "buffers beyond number": lambda s, a: put(a.child(0), n_buffers=2**62),
    "no buffers": lambda s, a: put(a.child(0), buffers=ctypes.POINTER(ctypes.c_void_p)()),
    "a child too few": lambda s, a: put(a, n_children=a.n_children - 1),
    "children beyond number": lambda s, a: put(a, n_children=2**60),
    "children that are missing": lambda s, a: put(a, children=None),
    "an unknown type": lambda s, a: put(Schema.from_address(ctypes.cast(s.children, ctypes.POINTER(ctypes.c_void_p))[0]), format=b"!"),
    "no type": lambda s, a: put(Schema.from_address(ctypes.cast(s.children, ctypes.POINTER(ctypes.c_void_p))[0]), format=None),
    "no struct": lambda s, a: put(s, format=b"l"),
    "text offsets that fall": lambda s, a: set_offset(a.child(1), 1, 1 << 20),
    "text offsets below zero": lambda s, a: set_offset(a.child(1), 0, -5),
    "text that is no UTF-8": lambda s, a: ctypes.memset(a.child(1).buffers[2], 0xFF, 1),
    "a dictionary out of nowhere": lambda s, a: put(a.child(0), dictionary=ctypes.addressof(a.child(1))),
}


def batch():
    # New memory each time: the lies are written into it.
    return pa.record_batch({"tick": pa.array([5, 6, 7]), "agent_id": pa.array([bytes([97 + i]).decode() * 4 for i in range(3)]),
                            "token_id": ["t", "u", "v"], "quantity": pa.array([1, 2, 3])})


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(run, tmp_path, name):
    before = files(tmp_path / "out" / "runs")
    with pytest.raises(IoSchemaError) as caught:
        run.append("holdings", Lying(batch(), LIES[name]))
    assert str(caught.value)
    assert files(tmp_path / "out" / "runs") == before and run.read("holdings").height == 1
    appender = run.appender("holdings")
    with pytest.raises(IoSchemaError):
        appender.append(Lying(batch(), LIES[name]))
    assert appender.buffered_rows == 0
    assert run.append("holdings", Lying(batch(), lambda s, a: None))["rows"] == 3


def test_what_was_released_already(run):
    def release(schema, array):
        array.release = None

    with pytest.raises(IoSchemaError, match="released"):
        run.append("holdings", Lying(batch(), release))

    class Once:
        def __init__(self):
            self.capsule = batch().__arrow_c_array__(), pa.table(batch()).__arrow_c_stream__()

    once = Once()
    pair = type("Pair", (), {"__arrow_c_array__": lambda self, requested_schema=None: once.capsule[0]})()
    assert run.append("holdings", pair)["rows"] == 3
    with pytest.raises(IoSchemaError, match="released"):
        run.append("holdings", pair)
    stream = type("Stream", (), {"__arrow_c_stream__": lambda self, requested_schema=None: once.capsule[1]})()
    assert run.append("holdings", stream)["rows"] == 3
    with pytest.raises(IoSchemaError, match="consumed"):
        run.append("holdings", stream)


@pytest.mark.parametrize("method, answer", [
    ("__arrow_c_stream__", None), ("__arrow_c_stream__", 5), ("__arrow_c_array__", (1, 2)), ("__arrow_c_array__", ()), ("__arrow_c_array__", None)])
def test_answers_that_are_no_capsules(run, method, answer):
    rows = type("Rows", (), {method: lambda self, requested_schema=None: answer})()
    with pytest.raises((TypeError, ValueError)):
        run.append("holdings", rows)
    assert run.read("holdings").height == 1


def test_a_stream_that_fails_in_the_middle(run):
    def batches():
        yield batch()
        raise RuntimeError("the source broke")

    with pytest.raises(lochan.io.IoError, match="the source broke"):
        run.append("holdings", pa.RecordBatchReader.from_batches(batch().schema, batches()))
    assert run.read("holdings").height == 1


def test_names_that_are_hostile(run):
    for name in ("", "x" * 10_000, "a.b", "a\nb", "'; DROP TABLE x; --", "run_id", "BUCKET", "ä" * 200):
        frame = holdings([5]).with_columns(pl.lit(1).alias(name))
        try:
            run.append("holdings", frame, validate_schema=False)
        except (IoSchemaError, ValueError):
            continue
        assert run.read("holdings")[name].to_list()[-1] == 1
    for key in ("", "a.b", "x" * 3000, "'", "A", "run_id", "ä"):
        try:
            run.append("exchange", exchange([{key: 1}]))
        except IoSchemaError:
            continue
        assert run.read("exchange")["additional_payload"].to_list()[-1][key] == 1
    with lochan.DataLake.open(run.settings.root_dir) as lake:
        assert lake.verify(deep=True).problems == 0


def test_many_fields_and_deep_ones(run):
    run.append("exchange", exchange([{f"f{i}": i for i in range(500)}]))
    assert run.read("exchange")["additional_payload"].to_list()[0]["f499"] == 499
    deep = {"x": 1}
    for _ in range(200):
        deep = {"d": deep}
    try:
        run.append("exchange", exchange([deep]))
    except IoSchemaError:
        pass
    assert run.read("exchange").height in (1, 2)


# --- killed


SCRIPT = """
    import os, sys
    sys.path.insert(0, {folder!r})
    from io_data import *
    from lochan.io import Dataset
    run = Dataset(settings({root!r}, durability={durability!r}), "r")
    i = 0
    while True:
        run.append("holdings", holdings([i, i + 1000]))
        print(i, flush=True)
        i += 1
"""


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path, durability):
    script = textwrap.dedent(SCRIPT.format(folder=str(ROOT / "tests" / "python"), root=str(tmp_path / "out"), durability=durability))
    for round_ in range(3):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(5 + 7 * round_):
            last = process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        acknowledged = int(rest[-1]) if rest else int(last)
        run = Dataset(settings(tmp_path / "out"), "r")
        ticks = run.read("holdings")["tick"].to_list()
        low = [tick for tick in ticks if tick < 1000]
        assert sorted(low) == sorted(tick - 1000 for tick in ticks if tick >= 1000), "half an append"
        assert set(range(acknowledged + 1)) <= set(low)
        run.delete()
    with lochan.DataLake.open(tmp_path / "out") as lake:
        assert lake.verify(deep=True).problems == 0
    pathlib.Path(tmp_path / "out").exists()
