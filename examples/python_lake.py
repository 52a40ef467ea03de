"""python_lake.py - fills a lake with the European Central Bank's reference rates, keeps it current, and reads it.

Usage: python examples/python_lake.py [FOLDER]        FOLDER gets the lake; default: a temporary one

The provider is lochan's own feed over examples/ecb, so nothing is asked of the internet. Needs the package lochan; Polars and
DuckDB are used if they are there.
"""
import importlib.util
import pathlib
import sys
import tempfile

import lochan

ECB = pathlib.Path(__file__).resolve().parent / "ecb"


def describe(lake, feed):
    """A source says where rows come from, a dataset which rows, and how they are typed and keyed. Both are bundled here."""
    if "ecb" not in [source["name"] for source in lake.sources.list().rows()]:
        lake.sources.add("ecb")
        lake.datasets.add("ecb/fx_daily")
    lake.sources.configure("ecb", url=feed.url)
    print(lake.sources, end="\n\n")


def keep_current(lake):
    """The first fill, and what runs every day after it. Run again, it asks for nothing that is final."""
    print(lake.update.backfill("fx_daily", source="ecb", start="1999-01-04", end="2025-12-31"), end="\n\n")
    try:
        print(lake.update.dataset("fx_daily", source="ecb", end="2026-10-30"), end="\n\n")
    except lochan.PartialError as e:
        print(f"{e.report.scopes_failed} windows failed and are asked for by the next update: {e.message}")
    print(lake.status.dataset("fx_daily", source="ecb"), end="\n\n")
    print(lake.status.runs(limit=5), end="\n\n")


def read(lake):
    """Rows come as Arrow; what a query does not need is not read."""
    dollar = lake.scan("fx_daily", source="ecb", columns=["time", "rate"], where="asset_id = 'USD' and time >= '2026-10-26'")
    for row in dollar.rows():
        print(f"{row['time']}  {row['rate']}")
    print(f"({dollar.stats.files_read} of {dollar.stats.files} files were read)", end="\n\n")

    if importlib.util.find_spec("polars"):
        import polars as pl

        rates = lake.scan("fx_daily", source="ecb").lazy()
        print(rates.filter(pl.col("asset_id") == "JPY").group_by(pl.col("time").dt.year().alias("year"))
              .agg(pl.col("rate").mean().round(2)).sort("year").tail(3).collect(), end="\n\n")
    if importlib.util.find_spec("duckdb") and importlib.util.find_spec("pyarrow"):
        rows = lake.scan("fx_daily", source="ecb").to_duckdb()
        print(rows.aggregate("asset_id, count(*) AS days").order("days DESC, asset_id").limit(3), end="\n\n")
    print(lake.sql())


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = sys.argv[1] if len(sys.argv) > 1 else f"{temporary}/lake"
        with lochan.Feed(ECB) as feed, lochan.DataLake.open(folder, create=True) as lake:
            describe(lake, feed)
            keep_current(lake)
            read(lake)
            report = lake.verify(deep=True)
            print(report)
            return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
