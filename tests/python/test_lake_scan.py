"""lake.scan: every value, every consumer, other snapshots, and what Polars pushes down."""
import datetime
import math

import duckdb
import lochan
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from lake_data import add_typed, make_ecb_lake, typed_rows, typed_values, write_csv
from lochan import _polars
from polars.testing import assert_frame_equal

ECB_ROWS = 221_702


@pytest.fixture(scope="module")
def ecb(tmp_path_factory):
    with lochan.DataLake.open(make_ecb_lake(tmp_path_factory.mktemp("ecb") / "lake")) as lake:
        yield lake


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """(lake, the rows its table must hold)"""
    folder = tmp_path_factory.mktemp("typed")
    rows = typed_rows()
    write_csv(folder / "typed.csv", rows)
    with lochan.Feed(folder / "typed.csv") as feed, lochan.DataLake.init(folder / "lake") as lake:
        add_typed(lake, feed)
        lake.update.dataset("typed", source="shop", end="2024-12-31", progress=False)
        yield lake, [typed_values(row) for row in rows]


# --- values and consumers


def test_every_value_as_python_objects(typed):
    lake, expected = typed
    got = lake.scan("typed", source="shop").rows()
    assert [repr(row) for row in got] == [repr(row) for row in expected]  # repr: -0.0 is not 0.0
    assert len(lake.scan("shop/typed").to_table()) == len(expected)


def test_consumers_agree(typed):
    lake, expected = typed
    scan = lake.scan("typed", source="shop")
    table = scan.to_arrow()
    table.validate(full=True)
    assert table.drop_columns(["fine", "f32"]).to_pylist() == [
        {k: v for k, v in row.items() if k not in ("fine", "f32")} for row in expected]
    frame = scan.to_polars()
    assert_frame_equal(frame, pl.DataFrame(table))
    assert_frame_equal(frame, pl.DataFrame(scan))
    assert_frame_equal(frame, scan.lazy().collect())
    assert_frame_equal(frame, pl.concat([pl.DataFrame(batch) for batch in scan.batches(rows=100)]))
    assert pa.table(scan).equals(table) and pa.schema(scan) == table.schema
    assert pa.RecordBatchReader.from_stream(scan).read_all().equals(table)
    pd.testing.assert_frame_equal(scan.to_pandas(), table.to_pandas())
    relation = scan.to_duckdb()
    assert relation.aggregate("count(*), sum(i8), max(price)").fetchall() == [
        (len(expected), sum(r["i8"] or 0 for r in expected), max(r["price"] for r in expected if r["price"] is not None))]
    with duckdb.connect() as connection:
        assert scan.to_duckdb(connection).filter("flag").count("*").fetchone()[0] == sum(r["flag"] is True for r in expected)
    assert max(batch.num_rows for batch in scan.batches(rows=100)) == 100
    assert sum(len(batch) for batch in scan) == len(expected)


def test_the_whole_ecb_file(ecb):
    scan = ecb.scan("fx_daily", source="ecb")
    frame = scan.to_polars()
    assert frame.shape == (ECB_ROWS, 5) and frame["asset_id"].n_unique() == 41
    assert scan.stats.rows_returned == ECB_ROWS and scan.stats.files == scan.stats.files_read == 2
    assert scan.stats.snapshot_id == scan.snapshot_id and scan.stats.bytes_read > 500_000
    first = scan.lazy().head(1).collect().to_dicts()[0]
    assert (first["asset_id"], first["time"], first["rate"]) == ("AUD", datetime.date(1999, 1, 4), 1.91)


def test_columns_where_limit(ecb):
    scan = ecb.scan("ecb/fx_daily", columns=["time", "rate"], where="asset_id = 'USD' and time >= '2026-10-01'", limit=5)
    assert scan.to_polars().columns == ["time", "rate"] and scan.to_arrow().num_rows == 5
    assert scan.stats.files_read == 1 and "asset_id = 'USD'" in repr(scan) and "limit 5" in repr(scan)
    assert "<table>" in scan._repr_html_() and ecb.scan("ecb/fx_daily", limit=0).rows() == []
    assert ecb.scan("ecb/fx_daily", columns=("rate", "time"), limit=1).rows()[0].keys() == {"rate", "time"}


@pytest.mark.parametrize("arguments, error", [
    ({"columns": ["tim"]}, lochan.NotFoundError), ({"columns": "time"}, TypeError), ({"columns": []}, lochan.ArgumentError),
    ({"where": "time >"}, lochan.ArgumentError), ({"where": "x = 1"}, lochan.NotFoundError), ({"limit": -2}, lochan.ArgumentError),
    ({"as_of": 10**6}, lochan.NotFoundError), ({"as_of": "yesterday"}, lochan.ArgumentError), ({"where": b"x"}, TypeError),
    ({"as_of": "1990-01-01"}, lochan.NotFoundError), ({"where": "a\0b"}, ValueError), ({"limit": "5"}, TypeError)])
def test_wrong_arguments_are_told_at_once(ecb, arguments, error):
    with pytest.raises(error):
        ecb.scan("fx_daily", source="ecb", **arguments)


def test_unknown_tables(ecb):
    with pytest.raises(LookupError, match="ecb/fx_daily") as caught:
        ecb.scan("fx_dayly", source="ecb")
    assert caught.value.exit_code == 3
    with pytest.raises(lochan.ArgumentError, match="source="):
        ecb.scan("fx_daily")


# --- snapshots


def test_other_snapshots(ecb):
    newest = ecb.scan("ecb/fx_daily")
    earlier = ecb.scan("ecb/fx_daily", as_of=newest.snapshot_id - 1)
    assert earlier.to_arrow().num_rows == 215_525 and newest.to_arrow().num_rows == ECB_ROWS
    tomorrow = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    for as_of in (tomorrow.date(), tomorrow, tomorrow.replace(microsecond=0), tomorrow.date().isoformat()):
        assert ecb.scan("ecb/fx_daily", as_of=as_of).snapshot_id == newest.snapshot_id


def test_a_scan_stays_with_its_snapshot(tmp_path):
    rows = typed_rows(days=40, assets=2)
    write_csv(tmp_path / "typed.csv", rows)
    with lochan.Feed(tmp_path / "typed.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        lake.update.dataset("typed", source="shop", end="2024-01-31", progress=False)
        scan = lake.scan("shop/typed")
        frame, reading = scan.lazy(), iter(scan.batches(rows=10))
        next(reading)
        lake.update.dataset("typed", source="shop", end="2024-12-31", progress=False)
        assert scan.to_arrow().num_rows == frame.collect().height == 62 and 10 + sum(map(len, reading)) == 62
        assert lake.scan("shop/typed").to_arrow().num_rows == 80


# --- Polars


def collected(scan, query, **options):
    frame = query.collect(**options)
    return frame, scan.stats


def test_projection_goes_down(ecb):
    scan = ecb.scan("ecb/fx_daily")
    _, whole = collected(scan, scan.lazy())
    frame, stats = collected(scan, scan.lazy().select("time"))
    assert frame.columns == ["time"] and stats.rows_returned == ECB_ROWS and stats.bytes_read < whole.bytes_read / 10
    frame, stats = collected(scan, scan.lazy().select(pl.len()))
    assert frame.item() == ECB_ROWS and stats.bytes_read < whole.bytes_read / 2


def test_limit_goes_down(ecb):
    scan = ecb.scan("ecb/fx_daily")
    frame, stats = collected(scan, scan.lazy().head(7))
    assert frame.height == 7 and stats.rows_returned == 7
    frame, stats = collected(scan, scan.lazy().head(300).filter(pl.col("asset_id") == "USD"))
    assert stats.rows_returned == 300 and 0 < frame.height < 30
    limited = ecb.scan("ecb/fx_daily", limit=300)
    assert limited.lazy().filter(pl.col("asset_id") == "USD").collect().height == frame.height
    assert limited.lazy().head(1000).collect().height == 300


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_predicates_go_down(ecb, engine):
    scan = ecb.scan("ecb/fx_daily")
    day = datetime.date(2026, 1, 1)
    frame, stats = collected(scan, scan.lazy().filter(pl.col("time") >= day), engine=engine)
    assert frame.height == stats.rows_returned == 6_177 and stats.files_read == 1 and stats.bytes_read < 100_000
    frame, stats = collected(scan, scan.lazy().filter(pl.col("asset_id") == "USD", pl.col("time") < day), engine=engine)
    assert frame.height == stats.rows_returned and 6_000 < frame.height < 8_000
    # Of a predicate that is understood in part, that part goes down and Polars does the rest.
    half = (pl.col("time") >= day) & (pl.col("rate").round(0) == 1)
    frame, stats = collected(scan, scan.lazy().filter(half), engine=engine)
    assert stats.rows_returned == 6_177 and 0 < frame.height < 6_177 and (frame["rate"].round(0) == 1).all()
    # One that is not understood is left to Polars.
    frame, stats = collected(scan, scan.lazy().filter(pl.col("asset_id").str.ends_with("SD")), engine=engine)
    assert stats.rows_returned == ECB_ROWS and set(frame["asset_id"]) == {"USD"}


c = pl.col
PREDICATES = [
    c("i") == 2**63 - 1, c("i") > -5, 0 >= c("i"), c("i") != 0, c("i").is_between(-50, 50), c("i8").is_in([1, 2, 3, -128]),
    c("u") == 2**64 - 1, c("u") > 10, c("f") > 0.5, c("f") <= -0.0, c("f") != 1, ~(c("f") >= 0), c("f") == 1e300,
    c("f").is_between(-1, 1, closed="none"), c("f").is_in([0.0, 1.0]), c("f32") == 0.1, c("f32") > 0.1, c("f32") >= 16777216,
    c("f").is_null(), c("name").is_not_null(), ~c("name").is_null(), c("name") == "it's", c("name") >= "p", c("name") < "two\nlines",
    c("name").is_in(["平安银行", 'say "hi"', "none"]), c("name").is_in([]), c("name") == "", c("flag"), ~c("flag"), c("flag") == True,  # noqa: E712
    c("time") > datetime.date(2024, 2, 10), c("time") == pl.date(2024, 3, 1), c("time").is_between(datetime.date(2024, 1, 20), datetime.date(2024, 2, 2)),
    c("time") > datetime.datetime(2024, 2, 10, 12), c("at") > datetime.datetime(2024, 2, 10, 12, 0, 0, 123456),
    c("at") <= datetime.date(2024, 2, 10), c("seen") > datetime.datetime(2024, 2, 10, 12, tzinfo=datetime.timezone.utc),
    c("fine") < datetime.datetime(2024, 2, 10, 12), c("fine") == pl.lit(1704104235080773123, pl.Datetime("ns")),
    c("price") > 0, c("price") == -0.0001, (c("i") > 0) | (c("name") == "zz"), ~((c("i") > 0) | (c("name") == "zz")),
    (c("i") > 0) ^ (c("i8") > 0), c("i") > c("i8"), c("i8") + 1 > 5, c("i8").cast(pl.Int64) > 5, c("i") == pl.lit(None),
    c("i").eq_missing(None), c("i").is_in([None, 0]), c("i").is_in([0, None], nulls_equal=True), c("i") > 0.5, c("f") > 2**60 + 1,
    pl.lit(True), pl.lit(False), c("i8") > c("i8").max() - 20,
    (c("time") > datetime.date(2024, 2, 1)) & (c("asset_id") == "A003") & c("f").is_not_null() & (c("name").str.len_chars() < 9),
    c("i").is_not_null() & ((c("f") < 5) | c("f").is_null()), c("f") < float("inf"),
    c("f") == float("nan"), c("f").is_between(float("-inf"), 3.0), c("at").is_in([datetime.datetime(2024, 1, 1)]),
    pl.date(2024, 3, 1) > c("time"), c("time").is_in([datetime.date(2024, 1, 5), datetime.date(2024, 4, 9)])]


@pytest.mark.parametrize("predicate", PREDICATES, ids=str)
def test_predicates_mean_what_they_mean_to_polars(typed, predicate):
    lake, _ = typed
    scan = lake.scan("shop/typed")
    frame = scan.to_polars()
    expected = frame.filter(predicate)
    assert_frame_equal(scan.lazy().filter(predicate).collect(), expected)
    assert_frame_equal(scan.lazy().filter(predicate).select("name", "i").collect(), expected.select("name", "i"))
    assert_frame_equal(scan.lazy().filter(predicate).head(5).collect(), expected.head(5))
    assert_frame_equal(scan.lazy().head(50).filter(predicate).collect(), frame.head(50).filter(predicate))
    narrowed = lake.scan("shop/typed", where="i8 > 0 or i8 is null")
    assert_frame_equal(narrowed.lazy().filter(predicate).collect(),
                       frame.filter((c("i8") > 0) | c("i8").is_null()).filter(predicate))


def test_what_is_understood(typed):
    """The words that go down, since a wrong answer is not the only way to fail: reading all would be one too."""
    schema = dict(typed[0].scan("shop/typed").lazy().collect_schema())
    day = datetime.date(2024, 2, 1)
    for predicate, words in [
        (c("i") == 3, '("i" = 3)'), (3 < c("i"), '("i" > 3)'), (c("f") > 1.5, '(not ("f" <= 1.5))'), (c("f") < 1, '("f" < 1)'),
        (c("name") == "it's", "(\"name\" = 'it''s')"), (c("time") >= day, "(\"time\" >= '2024-02-01')"),
        (c("time") == pl.date(2024, 2, 1), "(\"time\" = '2024-02-01')"), (c("i8").is_in([1, 2]), '("i8" in (1, 2))'),
        (c("i").is_between(1, 2), '(("i" >= 1 and "i" <= 2))'), (c("name").is_null(), '("name" is null)'),
        (c("name").is_not_null(), '("name" is not null)'), (~(c("i") == 3), '(not ("i" = 3))'),
        ((c("i") == 3) | (c("i8") == 4), '(("i" = 3 or "i8" = 4))'), ((c("i") == 3) & (c("f32") > 1), '("i" = 3)'),
        (c("seen") > datetime.datetime(2024, 1, 1, 1, tzinfo=datetime.timezone.utc), "(\"seen\" > '2024-01-01 01:00:00')"),
        ((c("i") == 3) | (c("f32") > 1), None), (c("i") == c("i8"), None), (c("f") == float("nan"), None)]:
        assert _polars.where(predicate, schema) == words, str(predicate)


def test_nan_is_above_all_numbers_to_polars(tmp_path):
    """No source brings NaN today; the same words over a file that has it."""
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"f": [1.0, math.nan, None, 7.0, math.inf]})
    lochan.parquet.write(frame, path)
    for predicate in (c("f") > 5, c("f") >= 5, c("f") < 5, c("f") != 1, ~(c("f") <= 5), c("f").is_between(0, 9), c("f").is_in([7.0])):
        words = _polars.where(predicate, dict(frame.schema))
        assert words is not None
        kept = pl.DataFrame(lochan.parquet.read(path, where=words))
        assert_frame_equal(kept.filter(predicate), frame.filter(predicate))


def test_lazy_frames_compose(ecb):
    lazy = ecb.scan("ecb/fx_daily").lazy()
    usd = lazy.filter(c("asset_id") == "USD").select("time", usd="rate")
    jpy = lazy.filter(c("asset_id") == "JPY").select("time", jpy="rate")
    joined = usd.join(jpy, on="time").with_columns(cross=c("jpy") / c("usd")).sort("time").tail(1).collect()
    assert joined["time"][0] == datetime.date(2026, 10, 30) and 50 < joined["cross"][0] < 300
    years = lazy.group_by(c("time").dt.year()).agg(pl.len()).sort("time").collect(engine="streaming")
    assert years["len"].sum() == ECB_ROWS and years.height == 28


def test_errors_in_a_lazy_frame(tmp_path):
    path = make_ecb_lake(tmp_path / "lake")
    with lochan.DataLake.open(path) as lake:
        lazy = lake.scan("ecb/fx_daily").lazy()
        file = path / lake.status.files().rows()[0]["path"]
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        with pytest.raises(Exception, match="checksum"):
            lazy.collect()
    with pytest.raises(Exception, match="closed"):
        lazy.collect()
