"""run_tables.py - a simulation that writes its tables tick after tick, and a look at them while it runs. Cells as of a notebook.

Usage: python examples/run_tables.py [FOLDER]        FOLDER gets the lake; default: a temporary one. Needs lochan and Polars.
"""

# %% Where runs are kept, and how
import random
import sys
import tempfile

import polars as pl

from lochan import DataLake
from lochan.io import Dataset, IoSchemaError, IoSettings, TableName, make_run_id, scan_runs, tables

folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp() + "/lake"
settings = IoSettings(root_dir=folder, tick_bucket_size=50)

# %% A table of our own, beside the bundled ones
tables.add("""
name: trades
columns:
  tick: i64
  side: {type: str, values: [buy, sell]}
  price: {type: f64, nullable: true}
  tags: struct                      # its fields come with the rows
rules:
  - {when: side, is: [sell], require: [price]}
""", settings, replace=True)
print(tables.columns("trades", settings))

# %% Three runs with different seeds. An appender makes few files of many small appends.
runs = []
for seed in range(3):
    run = Dataset(settings, make_run_id("market"))
    run.describe({"agents": 3, "ticks": 200}, seed=seed, code_version="example")
    rng = random.Random(seed)
    price = 100.0
    with run.appender("trades", ticks=50) as trades:
        for tick in range(200):
            price += rng.gauss(0, 1)
            trades.append(pl.DataFrame({"tick": [tick], "side": rng.choice(["buy", "sell"]), "price": price, "tags": [{"venue": "A"}]}))
    wealth = [{"tick": tick, "agent_id": f"agent-{a}", "token_id": "gold", "quantity": rng.randrange(100)}
              for tick in range(200) for a in range(3)]
    summary = run.append(TableName.HOLDINGS, pl.DataFrame(wealth), validate_rows=True)
    print(f"{run.run_id}: {summary['rows']} rows of holdings in buckets {summary['buckets']}")
    runs.append(run)

# %% One run: only what a query needs is read
print(run.read("holdings", where={"tick_min": 0, "tick_max": 1}))
print(run.scan("trades").filter(pl.col("side") == "buy").group_by("bucket").agg(pl.col("price").mean().round(2)).sort("bucket").collect())
print(run.manifest("trades"))

# %% All runs together
frame = scan_runs("holdings", where={"tick_min": 199}, settings=settings).collect()
print(frame.group_by("run_id").agg(pl.col("quantity").sum()).sort("run_id"))

# %% What does not fit is refused as a whole
try:
    run.append("trades", pl.DataFrame({"tick": [200, -1], "side": "buy", "tags": [{"venue": "A"}] * 2}))
except IoSchemaError as e:
    print(f"refused: {e}")

# %% Runs are listed, looked into, and removed in one commit
with DataLake.open(folder) as lake:
    print(lake.runs)
    print(runs[0].info()["parameters"])
    lake.runs.delete(runs[0].run_id)
    print(f"{len(lake.runs.list('trades'))} runs are left")
    print(lake.verify(deep=True))
