"""wheel_use - use the installed package without any other: an update, a scan, a run, a Parquet file. Prints ok.

Usage: python -I tools/wheel_use.py examples/ecb
"""
import sys
import tempfile

import lochan
import lochan.io


class Rows:
    """A lochan table is Arrow, and so can go in again."""

    def __init__(self, batch):
        self.batch = batch

    def __arrow_c_array__(self, requested_schema=None):
        return self.batch.__arrow_c_array__(requested_schema)


SOURCE = """
name: shop
kind: http
url: %s
path: /{source_dataset}.csv
query: {start: "{start}", end: "{end}"}
"""
DATASET = """
name: ticks
source: shop
time_column: time
default_start: 2024-01-01
columns: {asset_id: string, time: date, tick: int64}
primary_key: [asset_id, time]
"""


def use_datasets(lake, feed):
    lake.sources.add("ecb")
    lake.sources.configure("ecb", url=feed.url)
    lake.datasets.add("ecb/fx_daily")
    report = lake.update.backfill("fx_daily", source="ecb", start="2020-01-01", end="2020-03-31", progress=False)
    rows = lake.scan("ecb/fx_daily", where="asset_id = 'USD'").rows()
    assert report.rows_new > 1000 and len(rows) > 50 and lake.verify(deep=True)


def get_ticks(folder, lake):
    """A batch with a column `tick`, by way of a dataset: nothing else here makes rows."""
    with open(f"{folder}/ticks.csv", "w", encoding="utf-8") as file:
        file.write("time,asset_id,tick\n" + "".join(f"2024-01-{day:02d},a{day},{day * 10}\n" for day in range(1, 31)))
    with lochan.Feed(f"{folder}/ticks.csv") as feed:
        lake.sources.add(SOURCE % feed.url)
        lake.datasets.add_from_yaml(DATASET)
        lake.update.dataset("ticks", source="shop", end="2024-01-30", progress=False)
    return Rows(next(iter(lake.scan("shop/ticks", columns=["asset_id", "tick"]))))


def use_runs(folder, ticks):
    settings = lochan.io.IoSettings(root_dir=f"{folder}/out")
    lochan.io.tables.add("name: ids\ncolumns: {tick: i64, asset_id: str}\n", settings)
    run = lochan.io.Dataset(settings, lochan.io.make_run_id())
    assert run.append("ids", ticks)["buckets"] == [0, 1, 2, 3]
    assert run.stream("ids", {"tick_min": 300}).rows() == [{"bucket": 3, "tick": 300, "asset_id": "a30"}]
    assert run.manifest("ids").row_count == 30
    try:
        run.append("holdings", ticks)
        raise AssertionError("these are no holdings")
    except lochan.io.IoSchemaError:
        pass
    try:
        run.read("ids")
        raise AssertionError("there is no Polars")
    except ImportError:
        pass


def main():
    with tempfile.TemporaryDirectory() as folder:
        with lochan.Feed(sys.argv[1]) as feed, lochan.DataLake.open(f"{folder}/lake", create=True) as lake:
            use_datasets(lake, feed)
            ticks = get_ticks(folder, lake)
        use_runs(folder, ticks)
        lochan.parquet.write(ticks, f"{folder}/a.parquet")
        assert sum(len(b) for b in lochan.parquet.read(f"{folder}/a.parquet")) == 30
    print("ok")


if __name__ == "__main__":
    main()
