"""A lake made by the real command from a real feed on loopback, and what it should hold by a plain Python reading."""
import csv
import datetime
import gzip
import importlib.util
import json
import os
import pathlib
import random
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("LOCHAN_BIN", str(ROOT / "build" / "lochan"))
ECB = ROOT / "examples" / "ecb" / "eurofxref-hist.csv.gz"


def lochan(*args, lake=None, check=True, timeout=300):
    """Runs the command; returns the finished process (text output)."""
    command = [BIN] + (["--lake", str(lake)] if lake else []) + [str(a) for a in args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def json_lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class Feed:
    """`lochan feed` on a free port."""

    def __init__(self, path, folder, *args):
        ready = pathlib.Path(folder) / f"feed-{random.randrange(10**9)}.port"
        self.process = subprocess.Popen([BIN, "feed", str(path), "--port", "0", "--ready-file", str(ready), *args],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not ready.exists() or not ready.read_text().strip():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the feed did not start")
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{ready.read_text().strip()}"

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def ecb_rows(start="1999-01-01", end="2026-10-30"):
    """(asset_id, time, rate) of every cell that is a row, sorted as the table is."""
    rows = []
    with gzip.open(ECB, "rt", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        for record in reader:
            if not start <= record[0] <= end:
                continue
            day = datetime.date.fromisoformat(record[0])
            rows += [(name, day, float(cell)) for name, cell in zip(header[1:], record[1:])
                     if name and cell not in ("N/A", "")]
    return sorted(rows, key=lambda row: (row[1], row[0]))


MARKET_SPEC = """
name: daily
source: market
asset_column: ts_code
time_column: trade_date
request_options: {date_chunk_months: 2}
default_start: 2023-01-01
columns:
  time: {type: date, format: "%Y-%m-%d"}
  asset_id: string
  close: float64
  vol: int64
  name: string
  halted: bool
primary_key: [asset_id, time]
partition_strategy: year_month
sort_columns: [time, asset_id]
"""

SOURCE_SPEC = "name: market\nkind: http\nurl: {url}\nformat: csv\npath: /{{source_dataset}}.csv\n" \
              "query: {{start: \"{{start}}\", end: \"{{end}}\"}}\n"


def market_rows(days=90, assets=25, seed=1):
    """Rows with nulls, negative zero, quotes, newlines and non-ASCII text, newest first; as the CSV cells."""
    rng = random.Random(seed)
    rows = []
    for d in range(days):
        day = datetime.date(2023, 1, 1) + datetime.timedelta(days=d)
        for a in range(assets):
            rows.append({"ts_code": f"{a:06d}.SZ", "trade_date": day.isoformat(),
                         "close": rng.choice(["", "0.1", "-0.0", "1e300", f"{rng.uniform(1, 99):.2f}"]),
                         "vol": rng.choice(["", "0", "-9223372036854775808", str(rng.randrange(10**12))]),
                         "name": rng.choice(["", "平安银行", 'say "hi", twice', "two\nlines", "x" * 200]),
                         "halted": rng.choice(["true", "false", ""]),
                         "note": rng.choice(["", "12.5", "7"]),
                         "code": f"{rng.randrange(1000):06d}"})
    rows.reverse()
    return rows


def write_market(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def market_expected(rows):
    """What the table must hold: undeclared `note` is float64 (JSON numbers only), `code` stays text."""
    def number(text, kind):
        return kind(text) if text != "" else None

    return sorted(({"asset_id": r["ts_code"], "time": datetime.date.fromisoformat(r["trade_date"]),
                    "close": number(r["close"], float), "vol": number(r["vol"], int),
                    "name": r["name"] or None, "halted": {"true": True, "false": False, "": None}[r["halted"]],
                    "source": "market", "source_dataset": "daily",
                    "note": number(r["note"], float), "code": r["code"]} for r in rows),
                  key=lambda r: (r["time"], r["asset_id"]))


@pytest.fixture(scope="session")
def ecb_lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ecb")
    lake = folder / "lake"
    feed = Feed(ECB, folder)
    try:
        lochan("init", lake=lake)
        lochan("source", "add", "ecb", lake=lake)
        lochan("source", "set", "ecb", f"url={feed.url}", lake=lake)
        lochan("dataset", "add", "ecb/fx_daily", lake=lake)
        lochan("backfill", "ecb/fx_daily", "--start", "1999-01-04", "--end", "2025-12-31", lake=lake)
        lochan("update", "ecb/fx_daily", "--end", "2026-10-30", lake=lake)
    finally:
        feed.stop()
    return lake


@pytest.fixture(scope="session")
def market_lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    lake, rows = folder / "lake", market_rows()
    write_market(folder / "daily.csv", rows)
    feed = Feed(folder / "daily.csv", folder)
    try:
        (folder / "source.yaml").write_text(SOURCE_SPEC.format(url=feed.url))
        (folder / "daily.yaml").write_text(MARKET_SPEC)
        lochan("init", lake=lake)
        lochan("source", "add", folder / "source.yaml", lake=lake)
        lochan("dataset", "add", folder / "daily.yaml", lake=lake)
        lochan("backfill", "market/daily", "--start", "2023-01-01", "--end", "2023-12-31", lake=lake)
    finally:
        feed.stop()
    return lake, market_expected(rows)


def duckdb_connection():
    import duckdb

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for module, name in (("duckdb_extension_sqlite_scanner", "sqlite_scanner"), ("duckdb_extension_ducklake", "ducklake")):
        folder = importlib.util.find_spec(module).submodule_search_locations[0]
        found = next(pathlib.Path(folder).rglob(f"{name}.duckdb_extension"))
        connection.execute(f"LOAD '{found}'")
    return connection


@pytest.fixture
def duck():
    connection = duckdb_connection()
    yield connection
    connection.close()
