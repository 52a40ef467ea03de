"""Round trips over a generated matrix: types x nullability x nesting x encodings x codecs x page versions x row counts at the
edges of pages and row groups, from lochan to the others and back; and single bits turned in files of every encoding.

Cases are numbered, each number is one case. LOCHAN_PARQUET_CASES and LOCHAN_PARQUET_FLIPS take more of them.
"""
import io
import os
import random

import duckdb
import lochan
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_data import COMMON, any_table, assert_equal, encodings_of, leaves, table

CASES = int(os.environ.get("LOCHAN_PARQUET_CASES", "400"))
FLIPS = int(os.environ.get("LOCHAN_PARQUET_FLIPS", "2000"))
CODECS = ["none", "snappy", "zstd", "gzip", "brotli", "lz4"]
PYARROW = {"plain": "PLAIN", "delta_binary_packed": "DELTA_BINARY_PACKED", "byte_stream_split": "BYTE_STREAM_SPLIT",
           "delta_length_byte_array": "DELTA_LENGTH_BYTE_ARRAY", "delta_byte_array": "DELTA_BYTE_ARRAY"}


def read(source, **options):
    return pa.table(lochan.parquet.read(source, **options))


def same_frame(a, b):
    """Columns of lists one by one: Polars' own `equals` takes some that hold the same for different."""
    return a.schema == b.schema and all(
        a[n].to_list() == b[n].to_list() if t.is_nested() else a[n].equals(b[n]) for n, t in a.schema.items())


def edge(rng, page, group):
    """A row count around nothing, a byte of bits, the end of a page or of a row group."""
    return max(0, rng.choice([0, 1, 7, 8, 9, page, 2 * page, group, group + page, 2 * group]) + rng.choice([-1, 0, 1]))


def own_options(rng, data, page, group):
    columns = [leaf for field in data.schema for leaf in leaves(field)]
    wanted = {path: rng.choice(encodings_of(type_)) for path, type_ in columns if rng.random() < 0.6}
    filters = [path for path, type_ in columns if rng.random() < 0.2 and not pa.types.is_boolean(type_)]
    return {"compression": rng.choice(CODECS), "page_version": rng.choice([1, 2]), "page_rows": page, "row_group_rows": group,
            "page_bytes": rng.choice([16, 200, None]), "dictionary": rng.random() < 0.6, "encodings": wanted, "bloom": filters,
            "statistics": rng.random() < 0.8, "page_index": rng.random() < 0.8, "checksums": rng.random() < 0.9,
            "arrow_schema": rng.random() < 0.7, "max_statistics_bytes": rng.choice([1, 3, None]), "sync": False}


def their_options(rng, data, page, group):
    flat = {f.name: f.type for f in data.schema if not pa.types.is_nested(f.type)}
    options = {"compression": {"none": "NONE", "lz4": "LZ4"}.get(codec := rng.choice(CODECS), codec), "row_group_size": group,
               "data_page_version": rng.choice(["1.0", "2.0"]), "data_page_size": rng.choice([1, 100, 100_000]),
               "write_batch_size": page, "write_page_checksum": rng.random() < 0.5, "write_page_index": rng.random() < 0.5,
               "store_schema": rng.random() < 0.5, "use_dictionary": rng.random() < 0.5,
               "store_decimal_as_integer": rng.random() < 0.5}
    if not options["use_dictionary"] and rng.random() < 0.7:
        wanted = {n: PYARROW[e] for n, t in flat.items() if (e := rng.choice(encodings_of(t))) in PYARROW}
        for name, type_ in flat.items():  # pyarrow has these as bytes of a fixed length, unless told otherwise
            if pa.types.is_decimal(type_) and wanted.get(name) == "DELTA_BINARY_PACKED":
                wanted[name] = "BYTE_STREAM_SPLIT" if not options["store_decimal_as_integer"] else "PLAIN"
        options["column_encoding"] = wanted or None
    return options


@pytest.mark.parametrize("block", range(8))
def test_round_trips_with_pyarrow(tmp_path, block):
    path = tmp_path / "a.parquet"
    for seed in range(block, CASES, 8):
        rng = random.Random(seed)
        page, group = rng.choice([1, 7, 8, 9, 32]), rng.choice([9, 16, 33, 64])
        data = any_table(seed, edge(rng, page, group)) if rng.random() < 0.6 else \
            table(seed, edge(rng, page, group), rng.choice([0, 0.3, 1]))
        options = own_options(rng, data, page, group)
        note = f"case {seed}: {data.num_rows} rows, {options}"
        lochan.parquet.write(data, path, **options)
        try:
            assert_equal(pq.read_table(path), data)
            assert_equal(read(path, batch_rows=rng.choice([1, 7, None]), threads=rng.choice([1, 2])), data)
            report = lochan.parquet.verify(path)
            assert report, pa.table(report.details).to_pylist()
            theirs, file = their_options(rng, data, page, group), io.BytesIO()
            note = f"case {seed}: {data.num_rows} rows, pyarrow, {theirs}"
            pq.write_table(data, file, **theirs)
            assert_equal(read(file.getvalue(), batch_rows=rng.choice([1, 7, None])), data)
        except Exception as error:
            raise AssertionError(note) from error


@pytest.mark.parametrize("block", range(4))
def test_round_trips_with_polars_and_duckdb(tmp_path, block):
    for seed in range(block, CASES, 4):
        rng = random.Random(seed)
        path = tmp_path / f"{seed}.parquet"  # DuckDB keeps parts of files by name, and would mix two of one name
        page, group = rng.choice([7, 8, 9, 32]), rng.choice([9, 16, 33, 64])
        names = rng.sample(COMMON, 6) + rng.sample(["list", "strings", "struct", "deep"], 2)
        data = table(seed, edge(rng, page, group), rng.choice([0, 0.3, 1]), names)
        options = own_options(rng, data, page, group)
        types = dict(leaf for field in data.schema for leaf in leaves(field))
        for path_, encoding in options["encodings"].items():  # DuckDB reads no other columns that are so split
            if encoding == "byte_stream_split" and not pa.types.is_floating(types[path_]):
                options["encodings"][path_] = "plain"
        lochan.parquet.write(data, path, **options)
        frame, rows = pl.DataFrame(data), data.to_pylist()
        assert same_frame(pl.read_parquet(path), frame), f"case {seed}: {options}"
        got = duckdb.read_parquet(str(path)).to_arrow_table()
        flat = [n for n in names if not pa.types.is_nested(data.schema.field(n).type)]
        assert_equal(got.select(flat).cast(data.select(flat).schema), data.select(flat))
        nested = [n for n in names if n not in flat]
        assert got.select(nested).to_pylist() == data.select(nested).to_pylist(), f"case {seed}: {options}"
        codec = rng.choice(["uncompressed", "snappy", "zstd", "gzip", "lz4"])
        path.unlink()
        frame.write_parquet(path, compression=codec, row_group_size=group, data_page_size=rng.choice([1, 100, None]))
        assert same_frame(pl.DataFrame(lochan.parquet.read(path, batch_rows=rng.choice([3, None]))), frame), f"case {seed}: Polars"
        path.unlink()
        version = rng.choice(["V1", "V2"])
        codec = rng.choice(["uncompressed", "snappy", "zstd", "gzip", "lz4_raw", "brotli"])
        path = tmp_path / f"{seed}-duckdb.parquet"
        duckdb.from_arrow(data).query("t", f"copy t to '{path}' (format parquet, compression {codec}, row_group_size {group}, "
                                           f"parquet_version {version})")
        got = read(path)
        path.unlink()
        assert_equal(got.select(flat).cast(data.select(flat).schema), data.select(flat))
        assert got.select(nested).to_pylist() == [{n: r[n] for n in nested} for r in rows], f"case {seed}: DuckDB, {version}"


# --- single bits


def files():
    """(name, bytes, rows as lochan reads them) of one small file for each encoding, codec and page version."""
    made = []
    kinds = {"plain": ["bool", "int32", "float64", "string", "fixed"], "dictionary": ["int64", "string", "date", "fixed"],
             "delta_binary_packed": ["int32", "int64", "ts_us"], "delta_length_byte_array": ["string", "binary"],
             "delta_byte_array": ["string", "binary", "fixed"], "byte_stream_split": ["float32", "float64", "int32", "fixed"]}
    for i, (encoding, names) in enumerate(kinds.items()):
        for version in (1, 2):
            for nulls in (0, 0.3):
                data = table(i, 200, nulls, names)
                sink = os.path.join(files.folder, "f.parquet")
                lochan.parquet.write(data, sink, compression=CODECS[(2 * i + version) % len(CODECS)], page_version=version, page_rows=64,
                                     encodings={n: encoding for n in names if n != "bool"}, row_group_rows=128, sync=False)
                made.append((f"{encoding} v{version}", open(sink, "rb").read(), data))
    nested = table(1, 100, 0.3, ["list", "deep", "map", "struct"])
    for version in (1, 2):
        lochan.parquet.write(nested, sink, page_version=version, page_rows=30, sync=False)
        made.append((f"nested v{version}", open(sink, "rb").read(), nested))
    return made


def test_turned_bits_give_right_rows_or_an_error(tmp_path):
    """In pages, whose checksums are verified. A turned bit in a header or in the footer may be told in another way."""
    files.folder = str(tmp_path)
    rng, samples = random.Random(20), files()
    counts = {"right": 0, "error": 0}
    wrong = []
    for _ in range(FLIPS):
        name, content, data = rng.choice(samples)
        end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        bit = rng.randrange(8 * len(content))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        place = "footer" if bit // 8 >= end else "pages"
        try:
            rows = lochan.parquet.read(bytes(damaged))
            got = pa.Table.from_batches([pa.record_batch(b) for b in rows], pa.schema(rows))
        except lochan.Error:
            counts["error"] += 1
            continue
        try:
            assert_equal(got, data)
            counts["right"] += 1
        except AssertionError:
            if place == "pages":
                wrong.append((name, bit))
            else:
                counts[place] = counts.get(place, 0) + 1
    print(counts, wrong)
    assert not wrong, f"{len(wrong)} of {FLIPS}: {wrong[:10]}"
    assert counts["error"] > FLIPS / 3
