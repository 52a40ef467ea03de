"""Lakes for the tests of lochan.DataLake: the ECB's rates, and a table of every type with values at the edges."""
import csv
import datetime
import pathlib
import random
import subprocess
import sys
import textwrap
from decimal import Decimal

import lochan

ROOT = pathlib.Path(__file__).resolve().parents[2]
ECB = ROOT / "examples" / "ecb"

SOURCE = """
name: {name}
kind: http
url: {url}
path: /{{source_dataset}}.csv
query: {{start: "{{start}}", end: "{{end}}"}}
max_retries: 1
retry_backoff: 10ms
"""

TYPED = """
name: typed
source: shop
asset_column: id
time_column: day
default_start: 2024-01-01
request_options: {date_chunk_months: 1}
columns:
  asset_id: {type: string, nullable: false}
  time: {type: date, nullable: false}
  f: float64
  f32: float32
  i: int64
  i8: int8
  u: uint64
  flag: bool
  price: "decimal(18,4)"
  at: {type: "timestamp[us]", format: "%Y-%m-%d %H:%M:%S.%f"}
  seen: {type: "timestamp[us, UTC]", format: "%Y-%m-%dT%H:%M:%S.%f%z"}
  fine: {type: "timestamp[ns]", format: "%Y-%m-%d %H:%M:%S.%f"}
  name: string
primary_key: [asset_id, time]
partition_strategy: year_month
sort_columns: [time, asset_id]
"""

NAMES = ["plain", "it's", 'say "hi"', "two\nlines", "平安银行", "a,b", "x" * 200, "zz"]


def typed_rows(days=120, assets=12, seed=5):
    """Cells of a CSV, None for no value, in the order of the table."""
    rng = random.Random(seed)
    rows = []
    for d in range(days):
        for a in range(assets):
            at = datetime.datetime(2024, 1, 1) + datetime.timedelta(days=d, microseconds=rng.randrange(86400 * 10**6))
            row = {
                "id": f"A{a:03d}", "day": (datetime.date(2024, 1, 1) + datetime.timedelta(days=d)).isoformat(),
                "f": rng.choice(["1e300", "-1e-300", "-0.0", "0.0", "1", f"{rng.uniform(-9, 9):.3f}"]),
                "f32": rng.choice(["0.1", "-2.5", "16777216"]),
                "i": rng.choice([str(2**63 - 1), str(-2**63), "0", str(rng.randrange(-100, 100))]),
                "i8": str(rng.randrange(-128, 128)), "u": rng.choice([str(2**64 - 1), "0", str(rng.randrange(1000))]),
                "flag": rng.choice(["true", "false"]),
                "price": rng.choice(["12345678901234.5678", "-0.0001", "0.0000", f"{rng.uniform(-99, 99):.4f}"]),
                "at": at.isoformat(" ", "microseconds"), "seen": at.isoformat("T", "microseconds") + "Z",
                "fine": at.isoformat(" ", "microseconds") + f"{rng.randrange(1000):03d}", "name": rng.choice(NAMES)}
            rows.append({key: None if key not in ("id", "day") and rng.random() < 0.1 else cell for key, cell in row.items()})
    return rows


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def typed_values(row):
    """A row as Python values, by another way than ours."""
    def value(key, make):
        return None if row[key] is None else make(row[key])

    utc = datetime.timezone.utc
    return {
        "asset_id": row["id"], "time": datetime.date.fromisoformat(row["day"]), "f": value("f", float),
        "f32": value("f32", lambda text: __import__("struct").unpack("<f", __import__("struct").pack("<f", float(text)))[0]),
        "i": value("i", int), "i8": value("i8", int), "u": value("u", int), "flag": value("flag", lambda text: text == "true"),
        "price": value("price", Decimal), "at": value("at", datetime.datetime.fromisoformat),
        "seen": value("seen", lambda text: datetime.datetime.fromisoformat(text[:-1]).replace(tzinfo=utc)),
        "fine": value("fine", lambda text: datetime.datetime.fromisoformat(text[:-3])), "name": value("name", str),
        "source": "shop", "source_dataset": "typed"}


def add_typed(lake, feed):
    lake.sources.add(SOURCE.format(name="shop", url=feed.url))
    lake.datasets.add_from_yaml(TYPED)


def run(script, **options):
    """A script in a process of its own; returns what it printed."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120,
                          **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def make_ecb_lake(path):
    with lochan.Feed(ECB) as feed, lochan.DataLake.init(path) as lake:
        lake.sources.add("ecb")
        lake.sources.configure("ecb", url=feed.url)
        lake.datasets.add("ecb/fx_daily")
        lake.update.backfill("fx_daily", "ecb", "1999-01-04", "2025-12-31", progress=False)
        lake.update.dataset("fx_daily", source="ecb", end="2026-10-30", progress=False)
    return path
