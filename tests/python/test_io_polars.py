"""LazyFrames of lochan.io: what goes down is proved by the bytes that are read, in this Polars and, if it is installed, in
another (tools/polars1)."""
import datetime
import os
import pathlib
import subprocess
import sys

import lochan
import polars as pl
import pyarrow.parquet as pq
import pytest
from io_data import TRADES, holdings, settings
from lake_data import ROOT
from lochan.io import Dataset, scan_runs, tables
from polars.testing import assert_frame_equal

OTHER = pathlib.Path(os.environ.get("LOCHAN_OTHER_POLARS", ROOT / "build" / "polars1"))
ROWS = 200_000
c = pl.col


def make_trades():
    """Sorted by everything, in 40 row groups; one note in the last of them."""
    i = pl.int_range(ROWS, eager=True)
    return pl.DataFrame({
        "tick": i, "side": ("s" + (i // 1000).cast(pl.String).str.zfill(4)), "price": i / 8,
        "day": (10_957 + i // 1000).cast(pl.Int32).cast(pl.Date),  # from 2000-01-01
        "note": pl.Series([None] * (ROWS - 1) + ["x"], dtype=pl.String), "lot": pl.struct(size=i.hash(1).reinterpret(signed=True), unit=i.hash(2).cast(pl.String), eager=True)})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Dataset(settings(tmp_path_factory.mktemp("polars") / "out", row_group_size=5000, tick_bucket_size=10**9), "r")
    tables.add(TRADES.replace(", values: [buy, sell]", ""), run.settings)
    run.append("trades", make_trades())
    return run


@pytest.fixture(scope="module")
def whole(run):
    scan = run.stream("trades")
    frame = scan.lazy().collect()
    return frame, scan.stats.bytes_read


DAY = datetime.date(2000, 3, 1)
PREDICATES = [
    c("tick") == 123_456, c("tick") < 5000, c("tick") >= 195_000, c("tick").is_between(7000, 9000),
    c("tick").is_in([17, 199_999]), c("side") == "s0042", c("side") < "s0003", c("side").is_between(pl.lit("s0100"), pl.lit("s0101")),
    c("side").is_in(["s0001", "s0199"]), c("day") == DAY, c("day") > datetime.date(2000, 7, 15),
    c("day").is_between(DAY, datetime.date(2000, 3, 3)), c("day").is_in([DAY, datetime.date(2000, 1, 2)]), c("day") == pl.lit(DAY),
    c("note").is_not_null(), c("price") < 100.5, (c("tick") > 50_000) & (c("side") < "s0052"), (c("tick") < 100) | (c("day") == DAY),
    ~(c("tick") >= 4000), (c("tick") < 6000) & (c("lot").struct.field("size") > 0)]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
@pytest.mark.parametrize("predicate", PREDICATES, ids=str)
def test_predicates_save_bytes(run, whole, predicate, engine):
    frame, all_bytes = whole
    scan = run.stream("trades")
    got = scan.lazy().filter(predicate).collect(engine=engine)
    assert_frame_equal(got, frame.filter(predicate))
    assert scan.stats.bytes_read < all_bytes / 4, (scan.stats, all_bytes)
    assert scan.stats.rows_returned < ROWS / 4
    assert_frame_equal(run.scan("trades").filter(predicate).collect(engine=engine), got)
    assert_frame_equal(scan_runs("trades", settings=run.settings).filter(predicate).collect(engine=engine).drop("run_id"), got)


def test_null_is_pushed_down(run, whole, tmp_path):
    """Row groups without a null are left out."""
    other = Dataset(settings(tmp_path, row_group_size=5000, tick_bucket_size=10**9), "r")
    tables.add(TRADES.replace(", values: [buy, sell]", ""), other.settings)
    other.append("trades", make_trades().with_columns(note=pl.when(c("tick") != 77_777).then(c("side"))))
    scan = other.stream("trades")
    assert scan.lazy().filter(c("note").is_null()).collect()["tick"].to_list() == [77_777]
    assert scan.stats.rows_returned <= 5000 and scan.stats.row_groups_read == 1 and scan.stats.bytes_read < whole[1] / 10


@pytest.mark.parametrize("predicate", [
    c("side").str.ends_with("42"), c("tick") % 1000 == 3, c("lot").struct.field("unit") > "kg", c("tick") == c("price") * 8,
    c("price").round() == 5, c("tick").cast(pl.String) == "5", c("side").str.to_uppercase() == "S0001", c("day").dt.year() == 2000])
def test_what_is_not_understood_is_left_to_polars(run, whole, predicate):
    assert_frame_equal(run.scan("trades").filter(predicate).collect(), whole[0].filter(predicate))


def test_columns_and_limits_save_bytes(run, whole):
    frame, all_bytes = whole
    scan = run.stream("trades")
    assert_frame_equal(scan.lazy().select("tick").collect(), frame.select("tick"))
    assert scan.stats.bytes_read < all_bytes / 2
    assert_frame_equal(scan.lazy().head(100).collect(), frame.head(100))
    assert scan.stats.rows_returned == 100 and scan.stats.bytes_read < all_bytes / 4
    assert scan.lazy().select(pl.len()).collect().item() == ROWS and scan.stats.bytes_read < all_bytes / 4
    assert_frame_equal(scan.lazy().filter(c("tick") > 10).select("side").slice(3, 4).collect(), frame.filter(c("tick") > 10).select("side").slice(3, 4))


def test_ticks_prune_parts_and_row_groups_and_not_only_buckets(run, tmp_path):
    scan = run.stream("trades", {"tick_min": 1000, "tick_max": 1999})
    assert scan.to_polars().height == 1000 and scan.stats.row_groups_read == 1
    other = Dataset(settings(tmp_path, tick_bucket_size=1000), "r")
    for i in range(20):
        other.append("holdings", holdings(range(i * 10, i * 10 + 10)))
    scan = other.stream("holdings", {"tick_min": 55, "tick_max": 64})
    assert scan.to_polars().height == 10 and scan.stats.files_read == 2 and scan.stats.files >= 20
    many = other.stream("holdings").lazy().filter(c("tick") == 55)
    assert many.collect().height == 1


def test_no_checksum_goes_unverified(tmp_path):
    run = Dataset(settings(tmp_path), "r")
    path = pathlib.Path(run.append("holdings", holdings(range(50)))["parts"][0]["path"])
    ticks = pq.read_metadata(path).row_group(0).column(2)
    data = bytearray(path.read_bytes())
    data[ticks.data_page_offset + ticks.total_compressed_size - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(Exception, match="checksum"):
        run.scan("holdings").collect()
    with pytest.raises(Exception, match="checksum"):
        run.read("holdings")


def test_a_pinned_scan_whose_files_are_gone_names_its_snapshot(tmp_path):
    """Not the rows of now, and not none."""
    run = Dataset(settings(tmp_path), "r")
    for i in range(4):
        run.append("holdings", holdings(range(i * 5, i * 5 + 5)))
    stream = run.stream("holdings")
    pinned = [run.scan("holdings"), run.scan("holdings", {"tick_max": 7}), scan_runs("holdings", settings=run.settings), stream.lazy()]
    assert [frame.collect().height for frame in pinned] == [20, 8, 20, 20]
    run.append("holdings", holdings(range(20, 30)))
    with lochan.DataLake.open(tmp_path) as lake:
        lake.compact(full=True)
        assert [frame.collect().height for frame in pinned] == [20, 8, 20, 20]
        assert lake.expire(datetime.timedelta(0)).files == 5 == lake.gc(datetime.timedelta(0)).files
    gone = f"there is no snapshot as of '{stream.snapshot_id}'"
    for frame in pinned:
        for query in (frame, frame.filter(c("tick") == 3), frame.select("agent_id"), frame.select(pl.len()), frame.head(1)):
            for engine in ("in-memory", "streaming"):
                with pytest.raises(Exception, match=gone):
                    query.collect(engine=engine)
    with pytest.raises(lochan.NotFoundError, match=gone):
        stream.rows()
    assert run.read("holdings")["tick"].to_list() == list(range(30)) and run.scan("holdings").collect().height == 30


def other_version():
    if not OTHER.is_dir():
        return None
    code = "import polars; print(polars.__version__)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(OTHER)}).stdout.strip()


@pytest.mark.skipif("LOCHAN_OTHER_POLARS_RUNS" in os.environ, reason="this is the other Polars")
def test_the_other_polars():
    """This file, and those of all that goes through a LazyFrame, with the other major version."""
    version = other_version()
    if not version:
        pytest.skip(f"no other Polars in {OTHER}: tools/polars1 installs one")
    assert version.split(".")[0] != pl.__version__.split(".")[0]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
         *(str(ROOT / "tests/python" / name) for name in ("test_io_polars.py", "test_io.py", "test_lake_scan.py"))],
        capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": str(OTHER), "LOCHAN_OTHER_POLARS_RUNS": "1"})
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
