"""lochan.parquet.read: fields of nested columns, ranges of rows, mapped files, layouts of text that others take as they are."""
import os

import duckdb
import lochan
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 10_000


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A file of 5 row groups with pages of 500 rows, and what is in it."""
    path = tmp_path_factory.mktemp("scan") / "sample.parquet"
    data = pa.table({
        "id": range(ROWS),
        "text": [f"row {i} has a text that no view holds by itself" if i % 7 else None for i in range(ROWS)],
        "at": [{"x": i, "y": f"y{i % 10}"} if i % 5 else None for i in range(ROWS)],
        "tags": [[{"k": k, "v": float(i)} for k in range(i % 4)] for i in range(ROWS)],
    })
    lochan.parquet.write(data, path, row_group_rows=2000, page_rows=500)
    return path, data


def read(source, **options):
    return pa.table(lochan.parquet.read(source, **options))


def test_fields_of_nested_columns(sample):
    path, data = sample
    got = read(path, columns=["tags.v", "at.y", "id"])
    assert got.column_names == ["tags", "at", "id"]
    assert got["at"].to_pylist() == [a and {"y": a["y"]} for a in data["at"].to_pylist()]
    assert got["tags"].to_pylist() == [[{"v": t["v"]} for t in tags] for tags in data["tags"].to_pylist()]
    with pytest.raises(lochan.NotFoundError, match="at.z"):
        lochan.parquet.read(path, columns=["at.z"])
    one, both = lochan.parquet.read(path, columns=["at.x"]), lochan.parquet.read(path, columns=["at"])
    pa.table(one), pa.table(both)
    assert one.counters["pages_decoded"] < both.counters["pages_decoded"]


def test_ranges_of_rows(sample):
    path, data = sample
    ranges = [(0, 1), (1999, 2001), (4500, 4600), (9990, 20_000)]
    rows = lochan.parquet.read(path, rows=ranges)
    assert pa.table(rows)["id"].to_pylist() == [i for a, b in ranges for i in range(a, min(b, ROWS))]
    assert pa.table(rows)["tags"].to_pylist() == [data["tags"][i].as_py() for a, b in ranges for i in range(a, min(b, ROWS))]
    few, all_ = (lochan.parquet.read(path, rows=r, columns=["id"]) for r in ([(4500, 4600)], None))
    pa.table(few), pa.table(all_)
    assert few.counters["pages_decoded"] == 1 and all_.counters["pages_decoded"] == 20
    assert few.counters["bytes_read"] < all_.counters["bytes_read"]
    assert read(path, rows=[(100, 200)], where="id >= 150", limit=10, columns=["id"])["id"].to_pylist() == [*range(150, 160)]
    assert read(path, rows=[]).num_rows == 0 and read(path, rows=[(5, 5)]).num_rows == 0
    assert read(path, rows=(pair for pair in [[1, 2]]), columns=["id"])["id"].to_pylist() == [1]


@pytest.mark.parametrize("rows, error", [([(5, 4)], lochan.ArgumentError), ([(0, 10), (5, 20)], lochan.ArgumentError),
                                         ([(-1, 3)], lochan.ArgumentError), ([(1,)], TypeError), ([(1, "2")], TypeError),
                                         ([3], TypeError), (3, TypeError), ([(0, 2**63)], OverflowError)])
def test_wrong_ranges_are_told(sample, rows, error):
    with pytest.raises(error):
        lochan.parquet.read(sample[0], rows=rows)


def test_a_mapped_file(sample, tmp_path):
    path, data = sample
    rows = lochan.parquet.read(path, mapped=True)
    assert pa.table(rows).equals(read(path))
    assert rows.counters["bytes_read"] < os.path.getsize(path) / 2  # footer and indexes
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    rows = lochan.parquet.read(copy, mapped=True)
    os.truncate(copy, 5000)
    with pytest.raises(lochan.CorruptError, match="shrank"):
        list(rows)


def test_a_page_that_its_bytes_hardly_explain(tmp_path):
    path = tmp_path / "a.parquet"
    lochan.parquet.write(pa.table({"x": ["a" * (20 << 20)]}), path, compression="brotli")
    with pytest.raises(lochan.MemoryLimitError, match="column 'x'.*brotli.*209715[0-9]+: more than the 16777216") as caught:
        list(lochan.parquet.read(path))
    assert "max_page_bytes" in caught.value.hint and caught.value.column == "x"
    assert read(path, max_page_bytes=32 << 20)["x"].to_pylist() == ["a" * (20 << 20)]
    with pytest.raises(lochan.ArgumentError, match="max_page_bytes"):
        lochan.parquet.read(path, max_page_bytes=-1)


# --- text without a copy


def texts(array):
    """Where the bytes of an array of views lie, and how many they are."""
    return {(b.address, b.size) for b in array.buffers()[2:]}


@pytest.mark.parametrize("encoding", ["plain", "dictionary"])
def test_polars_takes_views_without_a_copy(sample, tmp_path, encoding):
    path, data = tmp_path / "a.parquet", sample[1].select(["text"])
    lochan.parquet.write(data, path, encodings={"text": encoding}, row_group_rows=ROWS)
    (batch,) = lochan.parquet.read(path, strings="string_view")
    ours = pa.record_batch(batch).column(0)
    frame = pl.DataFrame(batch)
    del batch
    theirs = frame["text"].to_arrow(compat_level=pl.CompatLevel.newest())
    assert ours.type == theirs.type == pa.string_view()
    assert ours.to_pylist() == theirs.to_pylist() == data["text"].to_pylist()
    assert texts(ours) and {a for a, _ in texts(theirs)} <= {a for a, _ in texts(ours)}
    assert ours.buffers()[1].address == theirs.buffers()[1].address  # the views themselves are taken over too


@pytest.mark.parametrize("strings", ["string_view", "dictionary"])
def test_duckdb_takes_views_and_dictionaries(sample, strings):
    """What DuckDB does inside cannot be seen from here: that it takes the layouts and sees the same texts can."""
    path, data = sample
    rows = lochan.parquet.read(path, columns=["id", "text"], strings=strings)
    got = duckdb.sql("select count(text) n, sum(length(text)) l, max(text) m from rows where id % 3 = 1").fetchone()
    want = [t for t in data["text"].to_pylist()[1::3] if t is not None]
    assert got == (len(want), sum(map(len, want)), max(want))


def test_batches_that_share_a_page_outlive_each_other(sample, tmp_path):
    path, data = tmp_path / "a.parquet", sample[1].select(["text"])
    lochan.parquet.write(data, path, encodings={"text": "plain"}, page_rows=500)
    batches = [pa.record_batch(b) for b in lochan.parquet.read(path, strings="string_view", batch_rows=100)]
    shared = [texts(b.column(0)) for b in batches]
    assert shared[0] and shared[0] & shared[1]  # two batches of one page
    last = batches[-1]
    del batches
    assert last.column(0).to_pylist() == data["text"].to_pylist()[-100:]


def test_views_written_again_are_the_same(sample, tmp_path):
    path, data = sample
    lochan.parquet.write(lochan.parquet.read(path, strings="string_view"), tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet")["text"].cast(pa.string()).equals(data["text"])
