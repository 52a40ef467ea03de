#!/usr/bin/env python3
"""parquet_testing - read a clone of apache/parquet-testing with lochan and compare with pyarrow.

Usage: PARQUET_TESTING=DIR .venv/bin/python tools/parquet_testing.py [-v]

Every file of data/ that pyarrow reads must be read equal, or be listed in KNOWN with the reason; an encrypted file must be
refused by name; every file of bad_data/ must give an error. Exit code 1 if not. Prints a line for each file that is not as it
should be, or is known not to be (with -v for all), and the figures at the end.
"""
import collections
import os
import pathlib
import subprocess
import sys

# What lochan and pyarrow see differently, on purpose: file name to reason.
KNOWN = {
    "ARROW-GH-43605.parquet": "breaks no rule: keys of 0 bits into a dictionary of one value, which crashed a reader once",
    "int96_from_spark.parquet": "a time in it does not fit nanoseconds: refused; pyarrow hands out another date",
    "datapage_v1-corrupt-checksum.parquet": "its checksums are wrong on purpose; pyarrow looks at them only when asked",
    "rle-dict-uncompressed-corrupt-checksum.parquet": "its checksums are wrong on purpose; pyarrow looks only when asked",
}

# Files that are refused with MEMORY_LIMIT unless they are trusted: then they are read a row at a time, as by pyarrow.
TRUSTED = {"large_string_map.brotli.parquet": 2 << 30}  # twice 1.6 KB that stand for 1 GiB

# Each file is read in a process of its own, so that a crash or a hang is a figure and not the end.
COMPARE = r"""
import sys
import lochan, pyarrow as pa, pyarrow.parquet as pq
path, trusted = sys.argv[1], int(sys.argv[2])

def end(kind, text=""):
    print(kind, " ".join(str(text).split())[:300], sep="\t")
    sys.exit()

def plain(value):
    # Values that two libraries may hand over in different clothes.
    if isinstance(value, float):
        return "nan" if value != value else value
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value

def values(column):
    t = column.type
    if pa.types.is_temporal(t) and not pa.types.is_date32(t):
        column = column.cast(pa.int64()) if t.bit_width == 64 else column.cast(pa.int32())
    return plain(column.to_pylist())

if trusted:
    try:
        list(lochan.parquet.read(path))
        end("different", "is believed without max_page_bytes")
    except lochan.MemoryLimitError as e:
        told = e.message
    ours = lochan.parquet.read(path, max_page_bytes=trusted, batch_rows=1)
    rows = 0
    for got, expected in zip(ours, pq.ParquetFile(path).iter_batches(batch_size=1)):
        got = pa.record_batch(got)
        if got.schema.names != expected.schema.names or any(values(a) != values(b) for a, b in zip(got, expected)):
            end("different", f"row {rows}")
        rows += 1
    end("equal" if rows == ours.info["rows"] else "different", f"{rows} rows; untrusted: {told}")
try:
    expected = pq.ParquetFile(path).read()
except BaseException as e:
    expected = None
    why = e
try:
    rows = lochan.parquet.read(path)
    batches = [pa.record_batch(b) for b in rows]
    got = pa.Table.from_batches(batches, pa.schema(rows))
except lochan.UnsupportedError as e:
    end("unsupported" if expected is not None else "refused", e.message)
except lochan.Error as e:
    end("error" if expected is not None else "both_fail", f"{type(e).__name__}: {e.message} (offset {e.offset}, column {e.column})")
if expected is None:
    end("only_lochan", f"{got.num_rows} rows; pyarrow: {why}")
if got.num_rows != expected.num_rows or got.column_names != expected.column_names:
    end("different", f"{got.num_rows} rows of {got.column_names} instead of {expected.num_rows} of {expected.column_names}")
for name, a, b in zip(got.column_names, got.columns, expected.columns):
    if isinstance(b.type, pa.BaseExtensionType):
        b = pa.chunked_array([c.storage for c in b.chunks], b.type.storage_type)
    if pa.types.is_dictionary(b.type):
        b = b.cast(b.type.value_type)
    try:
        same = a.equals(b) or values(a) == values(b)
    except Exception as e:
        end("different", f"column {name}: {a.type} and {b.type} do not compare: {e}")
    if not same:
        x, y = values(a), values(b)
        i = next(i for i in range(len(x)) if x[i] != y[i])
        end("different", f"column {name} ({a.type}, {b.type}), row {i}: {x[i]!r} instead of {y[i]!r}")
end("equal")
"""


def look(path):
    trusted = TRUSTED.get(path.name, 0)
    seconds = 600 if trusted else 60
    try:
        done = subprocess.run([sys.executable, "-c", COMPARE, str(path), str(trusted)], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "hang", f"{seconds} s"
    if done.returncode != 0:
        return "crash", f"exit code {done.returncode}: {' '.join(done.stderr.split())[-300:]}"
    kind, _, text = done.stdout.strip().partition("\t")
    return kind, text


def main():
    root = os.environ.get("PARQUET_TESTING")
    if not root:
        sys.exit("parquet_testing: PARQUET_TESTING names no clone of apache/parquet-testing")
    verbose, bad = "-v" in sys.argv[1:], 0
    good = {"data": ("equal", "both_fail", "refused", "only_lochan"), "bad_data": ("both_fail", "refused", "error", "unsupported")}
    for folder, allowed in good.items():
        counts = collections.Counter()
        for path in sorted(pathlib.Path(root, folder).rglob("*.parquet*")):
            if path.suffix not in (".parquet", ".encrypted"):
                continue
            kind, text = look(path)
            counts[kind] += 1
            fine = kind in allowed or path.name in KNOWN
            bad += not fine
            if verbose or not fine or kind == "only_lochan" or path.name in KNOWN:
                reason = f" (known: {KNOWN[path.name]})" if path.name in KNOWN else ""
                print(f"{'ok ' if fine else 'BAD'} {kind:12} {folder}/{path.name}: {text}{reason}")
        print(f"{folder}: {sum(counts.values())} files: " + ", ".join(f"{n} {kind}" for kind, n in counts.most_common()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
