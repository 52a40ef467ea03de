"""update_dataset.py - a dataset that is filled from a provider and kept current. Cells as of a notebook.

Usage: python examples/update_dataset.py [FOLDER]        FOLDER gets the lake; default: a temporary one. Needs lochan and Polars.

The provider is lochan's own feed over examples/ecb, the European Central Bank's reference rates, so nothing is asked of the
internet.
"""

# %% A lake, a provider, a dataset
import pathlib
import sys
import tempfile

import polars as pl

import lochan

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp() + "/lake"
feed = lochan.Feed(pathlib.Path(__file__).resolve().parent / "ecb")
lake = lochan.DataLake.open(folder, create=True)
if not lake.sources.list().rows():
    lake.sources.add("ecb")
    lake.datasets.add("ecb/fx_daily")
lake.sources.configure("ecb", url=feed.url)

# %% The first fill
report = lake.update.backfill("fx_daily", source="ecb", start="1999-01-04", end="2025-12-31")
print(report)

# %% What runs every day: it asks only for what is missing or may still change
print(lake.update.dataset("fx_daily", source="ecb", end="2026-10-30"))
print(lake.update.dataset("fx_daily", source="ecb", end="2026-10-30"))

# %% What there is, and what was done
print(lake.status.dataset("fx_daily", source="ecb"))
print(lake.status.runs(limit=5))

# %% Reading: the predicate goes down into the files
rates = lake.scan("fx_daily", source="ecb")
yearly = rates.lazy().filter(pl.col("asset_id") == "USD").group_by(pl.col("time").dt.year().alias("year")).agg(pl.col("rate").mean().round(4))
print(yearly.sort("year").tail(3).collect())
print(f"{rates.stats.rows_returned:,} rows came out of the scan")

# %% As it was before the newest update
earlier = lake.scan("fx_daily", source="ecb", as_of=rates.snapshot_id - 1)
print(earlier.lazy().select(pl.col("time").max()).collect().item())

# %% Is all well?
print(lake.verify())
lake.close()
feed.stop()
