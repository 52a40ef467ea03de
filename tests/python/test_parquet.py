"""lochan.parquet against pyarrow, Polars and DuckDB, in both directions."""
import contextlib
import io
import random
import tempfile

import duckdb
import lochan
import pandas
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_data import COMMON, any_table, assert_equal, table

ROWS = [0, 1, 7, 8, 9, 15, 16, 17, 33]  # with pages of 8 and row groups of 16 rows: all their edges
SMALL = {"row_group_rows": 16, "page_rows": 8}


def codecs():
    """Those that this build can write, and so read."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("none", "snappy", "zstd", "gzip", "brotli", "lz4"):
            with contextlib.suppress(lochan.UnsupportedError):
                lochan.parquet.write(pa.table({"x": [1]}), f"{folder}/a.parquet", compression=name, sync=False)
                found.append(name)
    return found


CODECS = codecs()


def read(source, **options):
    return pa.table(lochan.parquet.read(source, **options))


def arrow_bytes(data, **options):
    file = io.BytesIO()
    pq.write_table(data, file, **options)
    return file.getvalue()


def test_codecs_that_must_work():
    assert {"none", "snappy", "zstd"} <= set(CODECS)


# --- what lochan writes


@pytest.mark.parametrize("nulls", [0, 0.3, 1])
@pytest.mark.parametrize("rows", ROWS)
def test_pyarrow_reads_what_lochan_writes(tmp_path, rows, nulls):
    path = tmp_path / "a.parquet"
    data = table(rows * 10 + int(nulls * 3), rows, nulls)
    for i, codec in enumerate(CODECS):
        options = SMALL if i % 2 else {}
        assert lochan.parquet.write(data, path, compression=codec, dictionary=i % 3 != 2, **options) == rows
        assert_equal(pq.read_table(path), data)
        assert_equal(read(path, batch_rows=5 if i % 2 else None), data)
        assert lochan.parquet.verify(path)


@pytest.mark.parametrize("rows", [0, 9, 1000])
def test_polars_and_duckdb_read_what_lochan_writes(tmp_path, rows):
    path = tmp_path / "a.parquet"
    data = table(rows, rows, 0.2, COMMON)
    lochan.parquet.write(data, path, row_group_rows=300)
    assert pl.read_parquet(path).equals(pl.DataFrame(data))
    assert_equal(duckdb.read_parquet(str(path)).to_arrow_table().cast(data.schema), data)
    nested = table(rows, rows, 0.2, ["list", "struct", "deep"])
    lochan.parquet.write(nested, path, row_group_rows=300)
    assert pl.read_parquet(path).to_dicts() == pl.DataFrame(nested).to_dicts()
    assert duckdb.read_parquet(str(path)).to_arrow_table().to_pylist() == nested.to_pylist()


@pytest.mark.parametrize("rows", [0, 9, 1000])
def test_lochan_writes_what_others_hand_over(tmp_path, rows):
    path = tmp_path / "a.parquet"
    data = table(rows, rows, 0.2, COMMON)
    frame = pl.DataFrame(data)
    lochan.parquet.write(frame, path)
    assert pl.DataFrame(lochan.parquet.read(path)).equals(frame)
    lochan.parquet.write(frame.lazy().collect().rechunk(), path)
    assert pl.read_parquet(path).equals(frame)
    relation = duckdb.from_arrow(data)
    lochan.parquet.write(relation, path)
    assert_equal(read(path).cast(data.schema), data)
    simple = data.select(["int64", "float64", "string", "ts_us"])
    lochan.parquet.write(simple.to_pandas(), path)
    assert read(path).num_rows == rows
    if rows:
        lochan.parquet.write(data.to_batches()[0], path)  # __arrow_c_array__
        assert_equal(read(path), data)
        lochan.parquet.write(data.to_batches(max_chunksize=7)[0].slice(2, 3), path)
        assert_equal(read(path), data.slice(2, 3))


def test_lochan_writes_its_own_rows_and_batches(tmp_path):
    data = table(1, 50, 0.2)
    source = arrow_bytes(data)
    assert lochan.parquet.write(lochan.parquet.read(source), tmp_path / "a.parquet") == 50
    assert_equal(pq.read_table(tmp_path / "a.parquet"), data)
    batch = next(iter(lochan.parquet.read(source, batch_rows=20)))
    assert lochan.parquet.write(batch, tmp_path / "b.parquet") == 20
    assert lochan.parquet.write(batch, tmp_path / "b.parquet") == 20  # a batch can be handed out again and again
    assert_equal(pq.read_table(tmp_path / "b.parquet"), data.slice(0, 20))


@pytest.mark.parametrize("type_, comes_back", [
    (pa.large_string(), pa.string()), (pa.string_view(), pa.string()), (pa.large_binary(), pa.binary()),
    (pa.binary_view(), pa.binary()), (pa.dictionary(pa.int8(), pa.string()), pa.string()),
    (pa.time32("s"), pa.time32("ms")), (pa.timestamp("s"), pa.timestamp("ms")),
    (pa.large_list(pa.int64()), pa.list_(pa.field("element", pa.int64()))), (pa.decimal256(50, 3), pa.decimal256(50, 3)),
    (pa.null(), pa.null())])
def test_other_layouts_are_written_as_the_same_values(tmp_path, type_, comes_back):
    times = pa.types.is_time(type_)
    values = {"t": ["a", None, "bb", "a" * 30], "n": [1, None, 3, 4], "l": [[1], None, [], [2, None]], "z": [None] * 4}
    kind = "z" if pa.types.is_null(type_) else "l" if pa.types.is_large_list(type_) else "n" if not (
        pa.types.is_dictionary(type_) or "string" in str(type_) or "binary" in str(type_)) else "t"
    column = pa.array(values[kind], pa.int32() if times else None)
    data = pa.table({"x": column.cast(type_) if kind != "z" else pa.nulls(4)})
    lochan.parquet.write(data, tmp_path / "a.parquet", arrow_schema=False)
    assert b"ARROW:schema" not in (pq.read_metadata(tmp_path / "a.parquet").metadata or {})
    got = read(tmp_path / "a.parquet")
    assert got.schema.field("x").type == comes_back
    assert got["x"].to_pylist() == data["x"].to_pylist()
    assert pq.read_table(tmp_path / "a.parquet")["x"].to_pylist() == data["x"].to_pylist()


def test_slices_and_chunks_of_any_offset(tmp_path):
    data = table(3, 100, 0.3)
    rng = random.Random(3)
    cuts = sorted(rng.sample(range(101), 6))
    pieces = [data.slice(a, b - a) for a, b in zip(cuts, cuts[1:])]
    lochan.parquet.write(pa.concat_tables(pieces), tmp_path / "a.parquet", **SMALL)
    assert_equal(read(tmp_path / "a.parquet"), data.slice(cuts[0], cuts[-1] - cuts[0]))


# --- what lochan reads


@pytest.mark.parametrize("nulls", [0, 0.3, 1])
@pytest.mark.parametrize("rows", ROWS)
def test_lochan_reads_what_pyarrow_writes(rows, nulls):
    data = table(rows * 100 + int(nulls * 3), rows, nulls)
    for i, codec in enumerate(CODECS):
        for dictionary in (True, False):
            source = arrow_bytes(data, compression="LZ4" if codec == "lz4" else codec, use_dictionary=dictionary,
                                 data_page_version="2.0" if i % 2 else "1.0", data_page_size=64,
                                 write_batch_size=8, row_group_size=16, write_page_checksum=i % 2 == 0,
                                 store_schema=False)
            assert_equal(read(source), data)


@pytest.mark.parametrize("rows", [0, 9, 1000])
def test_lochan_reads_what_polars_and_duckdb_write(tmp_path, rows):
    path = str(tmp_path / "a.parquet")
    names = [n for n in COMMON if n != "decimal18"]
    data = table(rows, rows, 0.2, names)
    pl.DataFrame(data).write_parquet(path, compression="zstd", row_group_size=256, data_page_size=500)
    assert pl.DataFrame(lochan.parquet.read(path)).equals(pl.DataFrame(data))
    duckdb.from_arrow(data).write_parquet(path, compression="snappy")
    assert_equal(read(path).cast(data.schema), data)
    nested = table(rows, rows, 0.2, ["list", "struct", "deep"])
    pl.DataFrame(nested).write_parquet(path)
    assert pl.DataFrame(lochan.parquet.read(path)).to_dicts() == pl.DataFrame(nested).to_dicts()
    duckdb.from_arrow(nested).write_parquet(path)
    assert read(path).to_pylist() == nested.to_pylist()


@pytest.mark.parametrize("seed", range(60))
def test_any_schema_both_ways(tmp_path, seed):
    data, rng = any_table(seed), random.Random(seed)
    path = tmp_path / "a.parquet"
    options = {"row_group_rows": rng.choice([1, 8, 50, None]), "page_rows": rng.choice([1, 7, None]),
               "page_bytes": rng.choice([16, None]), "dictionary": rng.random() < 0.5, "compression": rng.choice(CODECS),
               "page_version": rng.choice([1, 2]), "page_index": rng.random() < 0.8}
    lochan.parquet.write(data, path, **options)
    assert_equal(pq.read_table(path), data)
    assert_equal(read(path, batch_rows=rng.choice([1, 3, None])), data)
    source = arrow_bytes(data, row_group_size=rng.choice([3, 1000]), data_page_version=rng.choice(["1.0", "2.0"]),
                         use_dictionary=rng.random() < 0.5, store_schema=False)
    assert_equal(read(source, threads=rng.choice([1, 2])), data)


ENCODINGS = {"delta_binary_packed": ["int32", "int64", "date", "ts_us", "uint64", "time_ms"],
             "delta_length_byte_array": ["string", "binary"], "delta_byte_array": ["string", "binary", "fixed"],
             "byte_stream_split": ["float32", "float64", "int32", "int64", "fixed", "decimal38", "float16"],
             "dictionary": ["int64", "float64", "string", "fixed", "date"],
             "plain": ["bool", "int64", "float64", "string", "fixed"]}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_that_were_asked_for(tmp_path, encoding):
    path, names = tmp_path / "a.parquet", ENCODINGS[encoding]
    for rows in (0, 1, 8, 33, 129, 1000):
        for nulls in (0, 0.3):
            data = table(rows, rows, nulls, names)
            lochan.parquet.write(data, path, encodings=dict.fromkeys(names, encoding), page_rows=200 if rows > 99 else 8,
                                 page_version=1 + rows % 2, sync=False)
            assert_equal(pq.read_table(path), data)
            assert_equal(read(path), data)
            if rows:
                wanted = "RLE_DICTIONARY" if encoding == "dictionary" else encoding.upper()
                for column in pa.table(lochan.parquet.read(path).columns()).to_pylist():
                    assert wanted in column["encodings"], column


def test_the_same_rows_give_the_same_bytes(tmp_path):
    data = table(5, 300, 0.2)
    files = []
    for threads, chunk in ((1, 300), (2, 7), (3, 64)):
        lochan.parquet.write(pa.Table.from_batches(data.to_batches(max_chunksize=chunk)), tmp_path / "a.parquet",
                             threads=threads, row_group_rows=100)
        files.append((tmp_path / "a.parquet").read_bytes())
    assert files[0] == files[1] == files[2]


# --- projection, predicates, pruning


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "sample.parquet"
    data = pa.table({"id": range(10000), "name": [f"n{i % 10}" for i in range(10000)],
                     "price": [None if i % 7 == 3 else i / 2 for i in range(10000)]})
    lochan.parquet.write(data, path, row_group_rows=1000, sorting=["id"], metadata={"made by": "a test"})
    return path, data


def test_columns_where_limit_and_row_groups(sample):
    path, data = sample
    assert_equal(read(path, columns=["price", "id"]), data.select(["price", "id"]))
    assert read(path, columns=["price"], where="name = 'n4' and id < 30")["price"].to_pylist() == [2.0, 7.0, None]
    assert read(path, where="price is null").num_rows == data["price"].null_count
    assert read(path, limit=1234)["id"].to_pylist() == list(range(1234))
    assert read(path, where="id >= 5000", limit=3)["id"].to_pylist() == [5000, 5001, 5002]
    assert read(path, row_groups=[1, 9], columns=["id"])["id"].to_pylist() == [*range(1000, 2000), *range(9000, 10000)]
    assert [b.num_rows for b in lochan.parquet.read(path, batch_rows=300, limit=1000)] == [300, 300, 300, 100]
    rows = lochan.parquet.read(path, columns=[])
    assert sum(len(batch) for batch in rows) == 10000
    assert pa.schema(lochan.parquet.read(path, columns=["price"])).names == ["price"]


def test_what_statistics_exclude_is_not_read(sample):
    path, _ = sample
    rows = lochan.parquet.read(path, where="id = 4321")
    before = rows.counters
    assert pa.table(rows)["id"].to_pylist() == [4321]
    after = rows.counters
    assert after["row_groups_pruned"] - before["row_groups_pruned"] == 9
    assert after["row_groups_read"] - before["row_groups_read"] == 1
    whole = lochan.parquet.read(path)
    pa.table(whole)
    assert (after["bytes_read"] - before["bytes_read"]) * 5 < whole.counters["bytes_read"]


def test_rows_are_read_anew_each_time(sample):
    path, data = sample
    rows = lochan.parquet.read(path)
    for _ in range(2):
        assert pa.table(rows).num_rows == pl.DataFrame(rows).height == 10000
        assert duckdb.sql("select sum(id) from rows").fetchone() == (49995000,)
    stream = pa.RecordBatchReader.from_stream(rows)
    rows.close()
    assert stream.read_all().num_rows == 10000  # goes on
    assert "closed" in repr(rows)
    with pytest.raises(ValueError, match="closed"):
        pa.table(rows)
    with lochan.parquet.read(path) as again:
        assert "10,000 rows" in repr(again) and "3 columns" in repr(again)


@pytest.mark.parametrize("strings, type_", [("string", pa.string()), ("large_string", pa.large_string()),
                                            ("string_view", pa.string_view())])
def test_layouts_of_strings(sample, strings, type_):
    got = read(sample[0], columns=["name"], strings=strings)
    assert got.schema.field("name").type == type_
    assert got["name"].cast(pa.string()).to_pylist() == sample[1]["name"].to_pylist()


def test_strings_as_dictionaries(sample):
    got = read(sample[0], columns=["name"], strings="dictionary")
    assert pa.types.is_dictionary(got.schema.field("name").type)
    assert got["name"].cast(pa.string()).to_pylist() == sample[1]["name"].to_pylist()
    assert pl.DataFrame(lochan.parquet.read(sample[0], strings="dictionary"))["name"].cast(pl.String).to_list() == \
        sample[1]["name"].to_pylist()


def test_batches_serve_every_library(sample):
    batches = list(lochan.parquet.read(sample[0], batch_rows=4000))
    assert [len(b) for b in batches] == [1000] * 10 and batches[0].column_names == ["id", "name", "price"]
    for batch in batches[:2]:
        first, second = pa.record_batch(batch), pa.record_batch(batch)
        del first
        assert second.num_rows == 1000 and pl.DataFrame(batch).height == 1000
        assert pa.schema(batch).names == batch.column_names


def test_facts_of_the_footer(sample):
    rows = lochan.parquet.read(sample[0])
    assert rows.info["rows"] == 10000 and rows.info["row_groups"] == 10 and rows.info["columns"] == 3
    assert rows.metadata["made by"] == "a test"
    columns = pl.DataFrame(rows.columns()).to_dicts()
    assert [c["column"] for c in columns] == ["id", "name", "price"]
    assert columns[0]["min"] == "0" and columns[0]["max"] == "9999" and columns[2]["nulls"] == sample[1]["price"].null_count
    groups = pa.table(rows.row_groups()).to_pylist()
    assert [g["first_row"] for g in groups] == list(range(0, 10000, 1000)) and groups[0]["sorting"] == "id"
    assert pa.table(rows.chunks()).num_rows == 30
    meta = pq.read_metadata(sample[0])
    assert meta.num_row_groups == 10 and meta.row_group(3).sorting_columns[0].column_index == 0
    assert meta.row_group(3).column(0).statistics.min == 3000 and meta.row_group(3).column(0).statistics.max == 3999
    assert pandas.DataFrame(pa.table(rows.chunks()).to_pylist()).shape == (30, 19)
