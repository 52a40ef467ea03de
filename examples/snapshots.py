"""snapshots.py - what changed, how it was, how to go back, and how to forget. Cells as of a notebook.

Usage: python examples/snapshots.py [FOLDER]        FOLDER gets the lake; default: a temporary one. Needs lochan only.

The provider is lochan's own feed over examples/ecb, so nothing is asked of the internet.
"""

# %% A lake with two updates, and so with two snapshots that have rows
import datetime
import pathlib
import sys
import tempfile

import lochan

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp() + "/lake"
feed = lochan.Feed(pathlib.Path(__file__).resolve().parent / "ecb")
lake = lochan.DataLake.open(folder, create=True)
lake.sources.add("ecb")
lake.sources.configure("ecb", url=feed.url)
lake.datasets.add("ecb/fx_daily")
lake.update.backfill("fx_daily", source="ecb", start="1999-01-04", end="2025-12-31")
lake.tag("year_end_2025")
lake.update.dataset("fx_daily", source="ecb", end="2026-10-30")

# %% Which there are
print(lake.snapshots("ecb/fx_daily"))

# %% What changed since: read only from the files that the two snapshots do not share
diff = lake.diff("ecb/fx_daily", "year_end_2025")
print(f"{sum(batch.num_rows for batch in diff):,} rows came")
print(diff.rows()[0])

# %% How it was: the number of a snapshot, a tag, or a time
print("rows as of the tag:", sum(batch.num_rows for batch in lake.scan("ecb/fx_daily", as_of="year_end_2025")))

# %% Going back is a new snapshot: nothing is lost, and going back again undoes it
newest = lake.snapshots("ecb/fx_daily", limit=1).rows()[0]["snapshot_id"]
lake.rollback("ecb/fx_daily", "year_end_2025")
print("rolled back:", sum(batch.num_rows for batch in lake.scan("ecb/fx_daily")))
lake.rollback("ecb/fx_daily", newest)

# %% Forgetting, in two steps: snapshots first, then the files that nobody sees any more
lake.untag("year_end_2025")
print(lake.expire(datetime.timedelta(days=30), dry_run=True))
print(lake.expire(datetime.timedelta(0)))                 # all but the newest
print(lake.gc(datetime.timedelta(0)))                     # readers are given a day, unless told otherwise
print(lake.verify())
lake.close()
feed.stop()
