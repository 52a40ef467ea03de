"""What goes wrong with lochan.parquet: damaged files, wrong arguments, hostile Arrow, Ctrl-C, fork, leaks, types."""
import gc
import io
import os
import pathlib
import pickle
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import lochan
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_data import assert_equal, table

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Bytes of a file with checksums, and its rows."""
    path = tmp_path_factory.mktemp("errors") / "sample.parquet"
    data = table(1, 200, 0.2)
    lochan.parquet.write(data, path, row_group_rows=64, page_rows=20, sync=False)
    return path.read_bytes(), data


def read(source, **options):
    """All rows by our own iterator, so that errors are ours and whole."""
    batches = [pa.record_batch(b) for b in lochan.parquet.read(source, **options)]
    return pa.Table.from_batches(batches, pa.schema(lochan.parquet.read(source, **options)))


# --- the exceptions


def errors_def():
    text = (ROOT / "include/lochan/errors.def").read_text()
    return re.findall(r'^LOCHAN_STATUS\((\w+), *(\d+), *"(\w+)", *(\d+)', text, re.M)[1:]


def test_one_class_for_each_code():
    # If this fails after a change of errors.def: tools/python, then .venv/bin/python tools/python_errors.py
    assert len(errors_def()) >= 30
    stub = (ROOT / "python/lochan/_lochan.pyi").read_text()
    listed = (ROOT / "python/lochan/errors.pyi").read_text()
    for _, _, name, _ in errors_def():
        error = getattr(lochan, name)
        assert issubclass(error, lochan.Error) and error is getattr(lochan.errors, name) and error.__module__ == "lochan"
        bases = ", ".join(b.__name__ for b in error.__bases__)
        assert f"class {name}({bases}): ...\n" in stub
        assert f"import {name} as {name}\n" in listed and f'    "{name}",\n' in listed


def test_errors_carry_their_fields(tmp_path, sample):
    with pytest.raises(FileNotFoundError) as caught:
        lochan.parquet.read(tmp_path / "none.parquet")
    e = caught.value
    assert type(e) is lochan.NotFoundError and e.code == 6 and e.name == "NOT_FOUND" and e.exit_code == 3
    assert e.file.endswith("none.parquet") and e.filename == e.file and e.errno == e.sys_errno == 2
    assert e.offset is None and e.column is None and e.retryable is False and e.retry_after is None
    with pytest.raises(LookupError, match="no column 'int65'") as caught:
        lochan.parquet.read(sample[0], columns=["int65"])
    assert caught.value.column == "int65" and "int6" in caught.value.hint and "hint: did you mean" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is lochan.NotFoundError and vars(again) == vars(caught.value) and str(again) == str(caught.value)
    damaged = bytearray(sample[0])
    chunk = next(c for c in pa.table(lochan.parquet.read(sample[0]).chunks()).to_pylist() if c["column"] == "string")
    damaged[chunk["offset"] + chunk["compressed_bytes"] - 1] ^= 1
    with pytest.raises(ValueError) as caught:
        read(bytes(damaged))
    e = caught.value
    assert type(e) is lochan.CorruptError and e.column == "string" and e.exit_code == 6
    assert chunk["offset"] <= e.offset < chunk["offset"] + chunk["compressed_bytes"]
    mine = lochan.SchemaError("made by a user")
    assert str(mine) == "made by a user" and str(lochan.Error()) == "" and mine.code == 11 and mine.exit_code == 7
    assert mine.name == "SCHEMA" and mine.file is None and mine.hint == "" and mine.retryable is False


@pytest.mark.parametrize("arguments", [
    {"columns": "id"}, {"columns": [1]}, {"columns": ["a\0b"]}, {"columns": ["int64", "int64"]}, {"where": "int64 >"},
    {"where": "nothing = 1"}, {"where": "int64 = 'x'"}, {"batch_rows": -1}, {"limit": -5}, {"row_groups": [99]},
    {"row_groups": [-1]}, {"row_groups": [1, 0]}, {"row_groups": [10**30]}, {"strings": "latin"}, {"threads": -1},
    {"threads": 10**6}, {"memory_limit": -1}])
def test_wrong_arguments_of_read(sample, arguments):
    with pytest.raises((lochan.Error, TypeError, ValueError, OverflowError)):
        pa.table(lochan.parquet.read(sample[0], **arguments))


@pytest.mark.parametrize("arguments", [
    {"compression": "zip"}, {"compression": "zstd", "level": 99}, {"level": "high"}, {"row_group_rows": -1},
    {"encodings": {"x": "no"}}, {"encodings": {"nothing": "plain"}}, {"encodings": {1: "plain"}},
    {"metadata": {"a": 1}}, {"metadata": {"a\0": "b"}}, {"sorting": ["nothing"]}, {"sorting": "x"}, {"page_rows": 2**40},
    {"memory_limit": -1}])
def test_wrong_arguments_of_write(tmp_path, arguments):
    with pytest.raises((lochan.Error, TypeError, OverflowError)):
        lochan.parquet.write(pa.table({"x": [1, 2]}), tmp_path / "a.parquet", **arguments)
    assert list(tmp_path.iterdir()) == []


# --- damaged files


def test_every_cut_is_an_error(sample):
    data = sample[0]
    for n in [*range(0, 64), *range(64, len(data), 97), len(data) - 1]:
        with pytest.raises(lochan.CorruptError):
            lochan.parquet.read(data[:n])


def test_flipped_bits_give_the_right_rows_or_an_error(sample):
    data, expected = sample
    rng = random.Random(7)
    footer = int.from_bytes(data[-8:-4], "little")
    wrong = 0
    for _ in range(400):
        damaged = bytearray(data)
        # Pages have checksums; the footer has none, so there only crashes and hangs would be wrong.
        position = rng.randrange(len(data) - 8 - footer)
        damaged[position] ^= 1 << rng.randrange(8)
        try:
            got = read(bytes(damaged), threads=1)
        except lochan.Error as e:
            assert e.message
            wrong += 1
        else:
            assert_equal(got, expected)
    assert wrong > 200
    for _ in range(300):
        damaged = bytearray(data)
        damaged[len(data) - 8 - rng.randrange(footer)] ^= 1 << rng.randrange(8)
        try:
            read(bytes(damaged), threads=1, memory_limit=64 << 20)
        except lochan.Error as e:
            assert e.message


def test_claimed_sizes_take_no_memory(tmp_path, sample):
    """Numbers of the footer made huge one by one: never more memory than the file warrants."""
    data = bytearray(sample[0])
    data[-8:-4] = (len(data)).to_bytes(4, "little")
    with pytest.raises(lochan.CorruptError, match="footer"):
        lochan.parquet.read(bytes(data))
    (tmp_path / "a.parquet").write_bytes(sample[0])
    script = f"""
        import lochan, random, resource
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        data, rng = open({str(tmp_path / 'a.parquet')!r}, "rb").read(), random.Random(3)
        footer = int.from_bytes(data[-8:-4], "little")
        for _ in range(300):
            d = bytearray(data)
            at = len(d) - 8 - rng.randrange(5, footer)
            d[at:at + 5] = b"\\xff\\xff\\xff\\xff\\x0f"
            try:
                for batch in lochan.parquet.read(bytes(d), threads=1):
                    pass
            except lochan.Error as e:
                assert not isinstance(e, lochan.OutOfMemoryError), e
        print("done")
    """
    assert run(script).stdout == "done\n"


def test_verify_tells_what_and_where(tmp_path, sample):
    path = tmp_path / "a.parquet"
    path.write_bytes(sample[0])
    report = lochan.parquet.verify(path)
    assert report and report.rows == 200 and report.problems == 0 and report.pages_without_crc == 0
    assert pa.table(report.details).num_rows == 0
    damaged = bytearray(sample[0])
    chunks = pa.table(lochan.parquet.read(sample[0]).chunks()).to_pylist()
    hit = [c for c in chunks if (c["row_group"], c["column"]) in ((1, "float64"), (2, "string"))]
    for c in hit:
        damaged[c["offset"] + c["compressed_bytes"] - 1] ^= 0x10
    path.write_bytes(damaged)
    report = lochan.parquet.verify(path)
    details = pa.table(report.details).to_pylist()
    assert not report and report.problems == 2
    assert [(d["kind"], d["row_group"], d["column"]) for d in details] == [("page", 1, "float64"), ("page", 2, "string")]
    assert all(c["offset"] <= d["offset"] < c["offset"] + c["compressed_bytes"] for c, d in zip(hit, details))
    path.write_bytes(sample[0][:-3])
    assert pa.table(lochan.parquet.verify(path).details)["kind"].to_pylist() == ["footer"]
    with pytest.raises(lochan.NotFoundError):
        lochan.parquet.verify(tmp_path / "none")


def test_verify_compares_with_the_statistics(tmp_path):
    """A file whose footer lies about a maximum; its pages are sound."""
    path = tmp_path / "a.parquet"
    lochan.parquet.write(pa.table({"x": pa.array([1, 2, 0x1122334455667788])}), path, dictionary=False)
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    needle = (0x1122334455667788).to_bytes(8, "little")
    path.write_bytes(data[:footer] + data[footer:].replace(needle, (5).to_bytes(8, "little")))
    report = lochan.parquet.verify(path)
    details = pa.table(report.details).to_pylist()
    assert [(d["kind"], d["column"]) for d in details] == [("statistics", "x")] and "row 2" in details[0]["detail"]


# --- hostile or failing data


class Stream:
    def __init__(self, capsule):
        self.capsule = capsule

    def __arrow_c_stream__(self, requested_schema=None):
        return self.capsule


def test_data_that_is_no_table(tmp_path):
    path = tmp_path / "a.parquet"
    for data in (1, None, [1, 2], {"x": [1]}, Stream(3), Stream(None)):
        with pytest.raises((TypeError, ValueError)):
            lochan.parquet.write(data, path)
    with pytest.raises(TypeError, match="__arrow_c_stream__"):
        lochan.parquet.write("rows", path)
    consumed = pa.table({"x": [1]}).__arrow_c_stream__()
    pa.RecordBatchReader._import_from_c_capsule(consumed)
    with pytest.raises(lochan.DataError, match="consumed"):
        lochan.parquet.write(Stream(consumed), path)
    with pytest.raises(lochan.SchemaError, match="table"):
        lochan.parquet.write(pl.Series("x", [1, 2]), path)
    with pytest.raises(lochan.Error):
        lochan.parquet.write(pa.array([{"a": 1}, None]), path)  # a row that is null as a whole
    with pytest.raises(lochan.UnsupportedError, match="'d'"):
        union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
        lochan.parquet.write(pa.table({"d": union}), path)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_fails_on_the_way(tmp_path):
    def batches():
        yield pa.record_batch({"x": pa.array([1, 2, 3])})
        raise RuntimeError("the provider is gone")

    schema = pa.schema([("x", pa.int64())])
    path = tmp_path / "a.parquet"
    path.write_bytes(b"what was there before")
    with pytest.raises(lochan.Error, match="the provider is gone"):
        lochan.parquet.write(pa.RecordBatchReader.from_batches(schema, batches()), path)
    assert path.read_bytes() == b"what was there before" and [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_existing_files_and_bad_places(tmp_path):
    data, path = pa.table({"x": [1]}), tmp_path / "a.parquet"
    lochan.parquet.write(data, path)
    with pytest.raises(FileExistsError):
        lochan.parquet.write(data, path, overwrite=False)
    lochan.parquet.write(data, path)
    with pytest.raises(lochan.NotFoundError):
        lochan.parquet.write(data, tmp_path / "no" / "a.parquet")
    with pytest.raises(lochan.ArgumentError, match="folder"):
        lochan.parquet.write(data, tmp_path)
    with pytest.raises(lochan.ArgumentError, match="folder"):
        lochan.parquet.read(tmp_path)
    with pytest.raises((ValueError, TypeError)):
        lochan.parquet.read("a\0b")
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


# --- processes, threads, signals


def run(script, **options):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120,
                          **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def interrupted(tmp_path, body):
    """Runs body until it says it has begun, sends SIGINT, and returns what it prints after KeyboardInterrupt."""
    script = "import lochan, pyarrow as pa, sys, os\ntry:\n" + textwrap.indent(textwrap.dedent(body), "    ") + \
             "\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               cwd=tmp_path)
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    return out, err


def test_ctrl_c_between_batches(tmp_path):
    out, err = interrupted(tmp_path, """
        def endless():
            batch = pa.record_batch({"x": pa.array(range(1000))})
            print("begun", flush=True)
            while True:
                yield batch
        rows = pa.RecordBatchReader.from_batches(pa.schema([("x", pa.int64())]), endless())
        lochan.parquet.write(rows, "a.parquet")""")
    assert out == "interrupted\n", err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_inside_one_batch(tmp_path):
    # Minutes of work for the compressor in a single call of the library.
    out, err = interrupted(tmp_path, """
        import random
        noise = random.Random(1).randbytes(1 << 22) * 16
        data = pa.table({f"c{i}": pa.Array.from_buffers(pa.int64(), len(noise) // 8, [None, pa.py_buffer(noise)])
                         for i in range(12)})
        print("begun", flush=True)
        lochan.parquet.write(data, "a.parquet", compression="zstd", level=19, dictionary=False)""")
    assert out == "interrupted\n", err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_reading_leaves_the_file_usable(tmp_path):
    lochan.parquet.write(pa.table({"x": range(200000)}), tmp_path / "a.parquet", row_group_rows=1000)
    out, err = interrupted(tmp_path, """
        rows = lochan.parquet.read("a.parquet")
        print("begun", flush=True)
        try:
            while True:
                for batch in rows:
                    pass
        finally:
            print(sum(len(b) for b in rows), flush=True)""")
    assert out == "200000\ninterrupted\n", err


def test_fork_is_refused_by_name(tmp_path, sample):
    path = tmp_path / "a.parquet"
    path.write_bytes(sample[0])
    run(f"""
        import lochan, os, pyarrow as pa
        rows = lochan.parquet.read({str(path)!r}, threads=2)
        iterator = iter(rows)
        next(iterator)
        stream = rows.__arrow_c_stream__()
        reader = pa.RecordBatchReader.from_stream(rows)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for f in (lambda: next(iterator), lambda: rows.info, lambda: rows.__arrow_c_stream__(), lambda: iter(rows)):
                    try:
                        f()
                        os._exit(2)
                    except lochan.UnsupportedError as e:
                        assert "fork" in e.message
                try:
                    reader.read_all()
                    os._exit(3)
                except NotImplementedError as e:
                    assert "fork" in str(e)
                assert sum(len(b) for b in lochan.parquet.read({str(path)!r}, threads=2)) == 200
                del rows, iterator, stream, reader
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert pa.table(rows).num_rows == 200 and sum(len(b) for b in iterator) == 136
    """)


def test_one_file_in_many_threads(sample):
    rows = lochan.parquet.read(sample[0], batch_rows=10)
    shared, seen, failures = iter(rows), [], []

    def work():
        try:
            for _ in range(5):
                assert sum(len(b) for b in rows) == 200
            while True:
                try:
                    seen.append(len(next(shared)))
                except ValueError:
                    continue  # another thread is in it
                except StopIteration:
                    return
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == [] and sum(seen) == 200


def test_closing_in_any_order(sample):
    rows = lochan.parquet.read(sample[0])
    iterator = iter(rows)
    batch = next(iterator)
    array = pa.record_batch(batch)
    stream = rows.__arrow_c_stream__()
    rows.close()
    rows.close()
    del rows, batch
    rest = list(iterator)
    del iterator
    gc.collect()
    assert array.num_rows + sum(len(b) for b in rest) == 200
    array.validate(full=True)
    assert pa.RecordBatchReader._import_from_c_capsule(stream).read_all().num_rows == 200


# --- memory


def resident():
    with open("/proc/self/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_nothing_leaks(tmp_path, sample):
    source, data = sample
    path = tmp_path / "a.parquet"

    def once():
        rows = lochan.parquet.read(source)
        pa.table(rows), rows.info, rows.metadata, rows.columns(), pa.table(rows.chunks()), list(rows)
        iter(rows), rows.__arrow_c_stream__(), rows.__arrow_c_schema__(), next(iter(rows)).__arrow_c_array__()
        lochan.parquet.write(rows, path, metadata={"a": "b"}, sorting=["int64"], sync=False)
        lochan.parquet.write(data, path, sync=False)
        for wrong in ({"columns": ["no"]}, {"where": "no = 1"}):
            with pytest.raises(lochan.Error):
                lochan.parquet.read(source, **wrong)
        with pytest.raises(lochan.Error):
            lochan.parquet.read(source[:100])
        with pytest.raises(lochan.SchemaError):
            lochan.parquet.write(pl.Series([1]), path)

    for _ in range(30):
        once()
    gc.collect()
    references, before = sys.getrefcount(source), resident()
    for _ in range(150):
        once()
    gc.collect()
    assert sys.getrefcount(source) == references
    assert resident() - before < 8 << 20


def test_batches_of_a_large_file_take_bounded_memory(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({f"c{i}": range(10**6) for i in range(8)}), path, row_group_size=10**6, compression="none",
                   use_dictionary=False)
    done = run(f"""
        import lochan, resource
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = sum(len(b) for b in lochan.parquet.read({str(path)!r}, batch_rows=10000, threads=1))
        print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)""")
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 10**6 and kilobytes < 40 << 10, kilobytes


# --- the package


def test_import_takes_no_other_package():
    done = run("""
        import sys
        import lochan, lochan.parquet
        print([m for m in ("numpy", "pyarrow", "polars", "pandas", "duckdb") if m in sys.modules], lochan.__version__)""")
    version = re.search(r'LOCHAN_VERSION "(.*)"', (ROOT / "include/lochan/lake.h").read_text()).group(1)
    assert done.stdout == f"[] {version}\n"


def test_import_is_quick():
    done = run("""
        import time
        start = time.process_time()
        import lochan
        print(time.process_time() - start)""")
    assert float(done.stdout) < 0.05


def test_module_shows_only_its_entry():
    shown = subprocess.run(["nm", "-D", "--defined-only", lochan._lochan.__file__], capture_output=True, text=True, check=True)
    assert [line.split()[-1] for line in shown.stdout.splitlines()] == ["PyInit__lochan"]
    assert lochan._lochan.__file__.endswith(".abi3.so")


def test_types_are_strict(tmp_path):
    use = tmp_path / "use.py"
    use.write_text(textwrap.dedent("""
        import lochan
        rows = lochan.parquet.read("a.parquet", columns=["x"], where="x > 1", batch_rows=10)
        for batch in rows:
            n: int = batch.num_rows
        try:
            written: int = lochan.parquet.write(rows, "b.parquet", compression="zstd", level=3, encodings={"x": "plain"})
        except lochan.CorruptError as e:
            place: int | None = e.offset
    """))
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(use),
                           str(ROOT / "python/lochan")], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_writes_to_memory_that_others_read():
    """A stream of ours into pyarrow's writer and back."""
    data = table(9, 100, 0.1)
    first = io.BytesIO()
    pq.write_table(data, first, store_schema=False)
    second = io.BytesIO()
    with pa.RecordBatchReader.from_stream(lochan.parquet.read(first.getvalue(), batch_rows=13)) as reader, \
            pq.ParquetWriter(second, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    assert_equal(pa.table(lochan.parquet.read(second.getvalue())), data)
