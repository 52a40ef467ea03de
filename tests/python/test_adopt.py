"""Parquet folders made by others: adopted, they are the same rows in lochan, DuckDB, Polars and pyarrow."""
import datetime

import lochan
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import duckdb_connection
from lochan import DataLake

DAY = datetime.date(2024, 1, 2)


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path) if isinstance(table, pa.Table) else table.write_parquet(path)


def same(row):
    return tuple(round(v, 9) if isinstance(v, float) else v for v in row)


@pytest.fixture
def hive(tmp_path):
    root = tmp_path / "old" / "market" / "ticks"
    write(root / "year=2023" / "kind=a%20b" / "1.parquet",
          pa.table({"x": pa.array([1, 2], pa.int32()), "st": [{"u": 1, "v": "a"}, None], "l": [[1, 2], None]}))
    write(root / "year=2024" / "kind=c" / "2.parquet",
          pa.table({"x": pa.array([2**40], pa.int64()), "f": pa.array([0.1], pa.float32()), "st": [{"u": 3, "v": "c"}]}))
    write(root / "year=2024" / "kind=__HIVE_DEFAULT_PARTITION__" / "3.parquet",
          pl.DataFrame({"x": [7], "f": [0.25]}, schema={"x": pl.Int8, "f": pl.Float64}))
    return tmp_path / "old"


def test_others_read_the_same_rows(tmp_path, hive):
    with DataLake.init(tmp_path / "lake") as lake:
        report = lake.adopt(hive)
        assert (report.datasets, report.files, report.rows, report.files_known) == (1, 3, 4, 0)
        names = ["x", "st", "l", "f", "year", "kind"]
        scan = lake.scan("market/ticks", columns=names)
        ours = sorted((same(row.values()) for row in scan.rows()), key=lambda row: row[0])
        assert [row[4:] for row in ours] == [(2023, "a b"), (2023, "a b"), (2024, None), (2024, "c")]
        frame = lake.scan("market/ticks").lazy().filter(pl.col("year") == 2024).sort("x").collect()
        assert frame["x"].to_list() == [7, 2**40] and frame["kind"].to_list() == [None, "c"]
        duck = duckdb_connection()
        duck.execute(lake.sql())
        theirs = duck.execute(f"SELECT {', '.join(names)} FROM lake.market.ticks ORDER BY x").fetchall()
        assert [same(row) for row in theirs] == ours
        assert duck.execute("SELECT x FROM lake.market.ticks WHERE year = 2024 AND kind = 'c'").fetchall() == [(2**40,)]
        assert duck.execute("SELECT x FROM lake.market.ticks WHERE f < 0.2").fetchall() == [(2**40,)]
        duck.close()
        assert lake.verify(deep=True).problems == 0


def test_a_tree_of_datasets(tmp_path):
    for month in (1, 2):
        write(tmp_path / "raw" / "tushare" / "daily" / "year=2024" / f"month={month:02d}" / "data.parquet",
              pl.DataFrame({"asset_id": ["A"], "time": [DAY.replace(month=month)], "close": [1.5]}))
    write(tmp_path / "raw" / "tushare" / "basic" / "data.parquet", pl.DataFrame({"asset_id": ["A"], "name": ["ü"]}))
    with DataLake.init(tmp_path / "lake") as lake:
        plan = lake.adopt(tmp_path / "raw", dry_run=True)
        assert {row["dataset"] for row in plan.plan.rows()} == {"daily", "basic"} and plan.snapshot_id == -1
        assert lake.adopt(tmp_path / "raw", how="copy").datasets == 2
        assert lake.adopt(tmp_path / "raw").files == 0
        assert lake.scan("tushare/basic").rows() == [{"asset_id": "A", "name": "ü"}]
        assert "year" not in lake.scan("tushare/daily").rows()[0]


def test_what_does_not_fit_is_named(tmp_path, hive):
    with DataLake.init(tmp_path / "lake") as lake:
        write(hive / "market" / "ticks" / "year=2024" / "kind=z" / "4.parquet", pa.table({"x": ["text"]}))
        with pytest.raises(lochan.Error, match="column 'x' is string in '.*4.parquet'"):
            lake.adopt(hive)
        with pytest.raises(ValueError, match="link, copy or move"):
            lake.adopt(hive, how="steal")
        assert len(lake.status.files()) == 0
