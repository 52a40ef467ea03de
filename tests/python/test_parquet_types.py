"""Types that Parquet does not have come back by the Arrow schema that files carry: lochan's to others, others' to lochan."""
import base64
import datetime
import io

import duckdb
import lochan
import pandas
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

N = [1, None, 3, 4]
TEXT = ["a", None, "b" * 30, "a"]
BLOB = [b"a", None, b"b" * 30, b"a"]
PAIRS = [[1, 2], [3, 4], [5, None], [7, 8]]
# name: type, values, what pyarrow makes of it where that is another type
TYPES = {
    "seconds": (pa.timestamp("s"), N, pa.timestamp("ms")),
    "seconds_zone": (pa.timestamp("s", "Asia/Shanghai"), N, pa.timestamp("ms", "Asia/Shanghai")),
    "zone": (pa.timestamp("us", "Europe/Berlin"), N, None),
    **{f"duration_{u}": (pa.duration(u), N, None) for u in ("s", "ms", "us", "ns")},
    "date64": (pa.date64(), [datetime.date(2020, 1, 1), None, datetime.date(1960, 1, 1), datetime.date(2000, 1, 2)], pa.date32()),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), TEXT, None),
    "dictionary_ordered": (pa.dictionary(pa.int32(), pa.string(), ordered=True), TEXT, None),
    "large_string": (pa.large_string(), TEXT, None), "string_view": (pa.string_view(), TEXT, None),
    "large_binary": (pa.large_binary(), BLOB, None), "binary_view": (pa.binary_view(), BLOB, None),
    "large_list": (pa.large_list(pa.int64()), [[1], None, [], [2, None]], None),
    "fixed_list": (pa.list_(pa.float32(), 2), PAIRS, None),
    "in_struct": (pa.struct([("a", pa.duration("ms")), ("b", pa.list_(pa.large_string()))]),
                  [{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}, {"a": 4, "b": []}], None),
    "map": (pa.map_(pa.string(), pa.duration("s"), keys_sorted=True), [[("a", 1)], None, [], [("b", None)]], None),
    "decimal256": (pa.decimal256(20, 3), [None] * 4, None),
}
# pyarrow 25 writes null lists of fixed size, and cannot read them.
ONLY_OURS = {
    "fixed_list_null": (pa.list_(pa.float32(), 2), [[1, 2], None, [5, None], [7, 8]]),
    "fixed_list_required": (pa.list_(pa.field("x", pa.float32(), nullable=False), 2), [[1, 2], None, [5, 6], None]),
    "fixed_list_text": (pa.list_(pa.string(), 3), [["a", "b", None], None, ["c"] * 3, None]),
    "fixed_in_list": (pa.list_(pa.list_(pa.int8(), 2)), [[[1, 2], None], None, [], [[3, 4]]]),
    "fixed_in_fixed": (pa.list_(pa.list_(pa.int8(), 2), 2), [[[1, 2], None], None, [[5, 6], [7, 8]], None]),
}
META = {b"unit": b"x", b"lang": "\u00e9".encode()}


def table(name):
    type_, values = (TYPES | ONLY_OURS)[name][:2]
    return pa.table([pa.array(values, type_)], schema=pa.schema([pa.field("x", type_, metadata=META)]))


def read(source, **options):
    got = pa.table(lochan.parquet.read(source, **options))
    got.validate(full=True)
    return got


def same(got, data, type_=None):
    assert got.schema.field("x").type == (type_ or data.schema.field("x").type)
    assert got["x"].to_pylist() == data["x"].to_pylist()


@pytest.mark.parametrize("name", [*TYPES, *ONLY_OURS])
def test_types_come_back_from_lochan_and_from_pyarrow(tmp_path, name):
    path, data = tmp_path / "a.parquet", table(name)
    lochan.parquet.write(data, path, page_rows=3, bloom=["x"] if name.startswith("large_s") else None)
    for got in (read(path), read(path, batch_rows=3), read(path, threads=1, memory_limit=1 << 20)):
        same(got, data)
        assert got.schema.field("x").metadata == META
    file = io.BytesIO()
    pq.write_table(data, file)
    same(read(file.getvalue()), data)
    assert lochan.parquet.verify(path)
    assert read(path, arrow_schema=False).schema.field("x").metadata is None


@pytest.mark.parametrize("name", TYPES)
def test_pyarrow_reads_the_types_that_lochan_writes(tmp_path, name):
    path, data = tmp_path / "a.parquet", table(name)
    lochan.parquet.write(data, path)
    got = pq.read_table(path)
    same(got, data, TYPES[name][2])
    assert got.schema.field("x").metadata == META


@pytest.mark.parametrize("name", [n for n in TYPES if n not in ("decimal256", "map")])
def test_polars_reads_the_types_that_lochan_writes(tmp_path, name):
    path, data = tmp_path / "a.parquet", table(name)
    lochan.parquet.write(data, path)
    got, wanted = pl.read_parquet(path)["x"], pl.DataFrame(data)["x"]
    assert got.to_list() == wanted.to_list() and got.dtype == wanted.dtype
    wanted.to_frame().write_parquet(path)
    assert pl.DataFrame(lochan.parquet.read(path))["x"].to_list() == wanted.to_list()


def test_times_in_seconds_are_told_as_milliseconds(tmp_path):
    """Polars takes the milliseconds of a time that is told in seconds for seconds."""
    path, data = tmp_path / "a.parquet", pa.table({"x": pa.array(N, pa.time32("s"))})
    lochan.parquet.write(data, path)
    same(read(path), data, pa.time32("ms"))
    assert pl.read_parquet(path)["x"].to_list() == data["x"].to_pylist()
    assert duckdb.read_parquet(str(path)).fetchall() == [(v,) for v in data["x"].to_pylist()]


def test_layouts_asked_for_and_predicates(tmp_path):
    path = tmp_path / "a.parquet"
    lochan.parquet.write(table("dictionary"), path)
    assert read(path, strings="large_string").schema.field("x").type == pa.large_string()
    assert read(path, arrow_schema=False).schema.field("x").type == pa.string()
    assert read(path, where="x = 'a'")["x"].to_pylist() == ["a", "a"]
    for name, where in (("duration_s", "x > 2"), ("seconds", "x > '1970-01-01 00:00:02'"), ("date64", "x >= '2000-01-02'")):
        lochan.parquet.write(table(name), path, bloom=["x"])
        wanted = table(name)["x"].to_pylist()
        assert read(path, where=where)["x"].to_pylist() == [wanted[i] for i in ((0, 3) if name == "date64" else (2, 3))]


def test_what_is_wrong_in_the_key_is_passed_over(tmp_path):
    path = tmp_path / "a.parquet"
    data = pa.table({"x": pa.array([1, 2, 3]), "l": pa.array([[1], [], [2, 3]], pa.list_(pa.int8()))})
    other = pa.schema([("x", pa.timestamp("s")), ("l", pa.list_(pa.int8(), 1 << 30))])
    for key in ("", "no base64!", base64.b64encode(b"\xff" * 40).decode(), base64.b64encode(other.serialize().to_pybytes()[:60]).decode()):
        lochan.parquet.write(data, path, metadata={"ARROW:schema": key}, arrow_schema=False)
        assert read(path).to_pydict() == data.to_pydict()
    lying = base64.b64encode(other.serialize().to_pybytes()).decode()
    lochan.parquet.write(data, path, metadata={"ARROW:schema": lying}, arrow_schema=False)
    assert read(path, columns=["x"])["x"].to_pylist() == [1, 2, 3]
    with pytest.raises(lochan.CorruptError, match="ARROW:schema"):
        list(lochan.parquet.read(path))
    assert read(path, arrow_schema=False).to_pydict() == data.to_pydict()
    assert not lochan.parquet.verify(path)
    nulls = pa.table({"l": pa.nulls(100_000, pa.list_(pa.int8()))})
    huge = base64.b64encode(pa.schema([("l", pa.list_(pa.int8(), 1 << 30))]).serialize().to_pybytes()).decode()
    lochan.parquet.write(nulls, path, metadata={"ARROW:schema": huge}, arrow_schema=False)
    with pytest.raises(lochan.MemoryLimitError):
        list(lochan.parquet.read(path))
    lochan.parquet.write(data, path, metadata={"ARROW:schema": lying})  # the writer knows better
    assert read(path).to_pydict() == data.to_pydict()


def test_metadata_of_the_schema(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pandas.DataFrame({"v": [1.5, 2.5]}, index=pandas.Index(["a", "b"], name="key"))
    data = pa.Table.from_pandas(frame).replace_schema_metadata(pa.Table.from_pandas(frame).schema.metadata | {b"raw": b"\xff\x00"})
    lochan.parquet.write(data, path, metadata={"made by": "a test"})
    assert pq.read_table(path).to_pandas().equals(frame)
    assert pa.table(lochan.parquet.read(path)).to_pandas().equals(frame)
    assert pa.schema(lochan.parquet.read(path, columns=["v"])).metadata[b"made by"] == b"a test"
    assert b"raw" not in pa.schema(lochan.parquet.read(path)).metadata
    assert not pa.schema(lochan.parquet.read(path, arrow_schema=False)).metadata
    lochan.parquet.write(data, path, arrow_schema=False)
    assert lochan.parquet.read(path).metadata == {}
