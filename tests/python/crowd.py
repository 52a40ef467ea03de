"""Eight at work on one lake: two updates of one dataset, two appenders, compaction, scans, expiry with backup, and DuckDB.

    python tests/python/crowd.py SECONDS [SEED]       or tools/crowd

Two providers serve the same days under two versions of the prices; both updates ask for all days again, so whole months
change under the readers all the time. Every month must be of one version in every snapshot, every appended tick there
once, from its acknowledgement on; nothing may fail but with a conflict (exit code 4). At the end sums are those of the
oracle, verify --deep finds nothing, and the last backup restores.
"""
import collections
import contextlib
import csv
import io
import pathlib
import random
import sys
import tempfile
import threading
import time

import polars as pl

from conftest import Feed, duckdb_connection, json_lines, lochan

SOURCE = "name: market\nkind: http\nurl: http://127.0.0.1:1\nformat: csv\npath: /{source_dataset}.csv\n" \
         "query: {start: \"{start}\", end: \"{end}\"}\n"
DATASET = """
name: daily
source: market
asset_column: code
time_column: day
request_options: {date_chunk_months: 1}
default_start: 2023-01-01
columns:
  asset_id: string
  time: {type: date, format: "%Y-%m-%d"}
  price: float64
primary_key: [asset_id, time]
partition_strategy: year_month
sort_columns: [time, asset_id]
"""
MONTHS = {1: 31, 2: 28, 3: 31, 4: 30}
ASSETS = 4
VERSIONS = (0, 1000)
LAST_DAY = "2023-04-30"
ROWS_OF_AN_APPEND = 5
GRACE_HOURS = "0.02"  # readers that began before keep their files
CONFLICT = 4


def write_market(folder, version):
    """price = day of the month + asset / 10 + version."""
    folder.mkdir()
    with open(folder / "daily.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "day", "price"])
        for month, days in MONTHS.items():
            for day in range(1, days + 1):
                for asset in range(ASSETS):
                    writer.writerow([f"A{asset}", f"2023-{month:02d}-{day:02d}", day + asset / 10 + version])
    return folder / "daily.csv"


def month_sum(month, version):
    days = MONTHS[month]
    return ASSETS * days * (days + 1) / 2 + days * sum(a / 10 for a in range(ASSETS)) + ASSETS * days * version


class Crowd:
    def __init__(self, folder, seconds, seed):
        self.folder, self.lake, self.seed = pathlib.Path(folder), pathlib.Path(folder) / "lake", seed
        self.end = time.monotonic() + seconds
        self.counts, self.conflicts, self.failures = collections.Counter(), collections.Counter(), []
        self.begun, self.acked, self.lock = set(), set(), threading.Lock()

    def over(self):
        return self.failures or time.monotonic() > self.end

    def call(self, name, *args):
        """One command; returns whether it did its work. Only a conflict may keep it from that."""
        done = lochan(*args, lake=self.lake, check=False)
        if done.returncode == CONFLICT:
            self.conflicts[name] += 1
            return None
        if done.returncode != 0:
            raise AssertionError(f"{name}: exit {done.returncode}: {done.stderr}")
        self.counts[name] += 1
        return done

    # --- writers

    def update(self, url):
        self.call("update", "update", "market/daily", "--force", "--end", LAST_DAY, "--option", f"url={url}", "--quiet")

    def append(self, number, rng):
        path = self.folder / f"append-{number}.parquet"
        with self.lock:
            tick = max(self.begun, default=0) + rng.randrange(1, 30)
            self.begun.add(tick)
        pl.DataFrame({"tick": [tick] * ROWS_OF_AN_APPEND, "agent_id": [f"a{i}" for i in range(ROWS_OF_AN_APPEND)],
                      "token_id": "A", "quantity": list(range(ROWS_OF_AN_APPEND))}).write_parquet(path)
        durability = rng.choice(["full", "normal"])
        if self.call("append", "run", "append", f"run-{number}", "holdings", path, "--durability", durability):
            with self.lock:
                self.acked.add(tick)

    def compact(self):
        self.call("compact", "compact", "--full")
        self.call("compact", "compact", "runs/holdings", "--files", "4")

    def keep_house(self):
        self.call("expire", "expire", "--older-than", "0", "--keep", "8")
        self.call("gc", "gc", "--grace", GRACE_HOURS)
        self.call("backup", "backup", self.folder / "backup")

    # --- readers

    def look_at_months(self, rows, who):
        """rows: (month, count, sum) of one snapshot; empty before the first update."""
        for month, count, total in rows:
            assert count == MONTHS[month] * ASSETS, f"{who}: month {month} has {count} rows"
            assert any(abs(total - month_sum(month, v)) < 1e-3 for v in VERSIONS), f"{who}: sum {total} in month {month}"
        versions = {month: round(total / count) // 1000 for month, count, total in rows}
        assert len(set(versions.values())) <= 1, f"{who}: an update is there by half: {versions}"

    def look_at_ticks(self, ticks, acked, who):
        assert all(n == ROWS_OF_AN_APPEND for n in ticks.values()), f"{who}: an append is there by half or twice"
        assert acked <= set(ticks), f"{who}: lost {sorted(acked - set(ticks))}"
        with self.lock:
            assert set(ticks) <= self.begun, f"{who}: ticks from nowhere"

    def scan(self):
        done = self.call("scan", "scan", "market/daily", "--columns", "time,price", "--format", "csv")
        months = collections.defaultdict(list)
        for day, price in list(csv.reader(io.StringIO(done.stdout)))[1:]:
            months[int(day[5:7])].append(float(price))
        self.look_at_months([(m, len(prices), sum(prices)) for m, prices in months.items()], "scan")
        with self.lock:
            acked = set(self.acked)
        done = self.call("scan", "run", "scan", "all", "holdings", "--columns", "tick", "--format", "csv")
        self.look_at_ticks(collections.Counter(int(t) for t in done.stdout.split()[1:]), acked, "scan")

    def duckdb(self):
        duck = duckdb_connection()
        try:
            duck.execute(lochan("sql", lake=self.lake).stdout)
            rows = duck.execute("SELECT month(time), count(*), sum(price) FROM lake.market.daily GROUP BY 1").fetchall()
            self.look_at_months(rows, "DuckDB")
            with self.lock:
                acked = set(self.acked)
            if acked:
                ticks = duck.execute("SELECT tick, count(*) FROM lake.runs.holdings GROUP BY 1").fetchall()
                self.look_at_ticks(dict(ticks), acked, "DuckDB")
            self.counts["duckdb"] += 1
        finally:
            duck.close()

    # --- all of them

    def role(self, name, act, *args):
        def live():
            try:
                while not self.over():
                    act(*args)
            except Exception as error:  # whatever it is, it is a finding
                self.failures.append(f"{name}: {error}")
        return threading.Thread(target=live, name=name)

    def run(self):
        with contextlib.ExitStack() as stack:
            urls = []
            for version in VERSIONS:
                feed = Feed(write_market(self.folder / f"v{version}", version), self.folder)
                stack.callback(feed.stop)
                urls.append(feed.url)
            (self.folder / "market.yaml").write_text(SOURCE)
            (self.folder / "daily.yaml").write_text(DATASET)
            lochan("init", lake=self.lake)
            lochan("source", "add", self.folder / "market.yaml", lake=self.lake)
            lochan("dataset", "add", self.folder / "daily.yaml", lake=self.lake)
            self.update(urls[0])
            rngs = [random.Random(f"{self.seed}-{i}") for i in range(2)]
            self.append(0, rngs[0])
            threads = [self.role("update 0", self.update, urls[0]), self.role("update 1", self.update, urls[1]),
                       self.role("append 0", self.append, 0, rngs[0]), self.role("append 1", self.append, 1, rngs[1]),
                       self.role("compact", self.compact), self.role("scan", self.scan),
                       self.role("expire, gc, backup", self.keep_house), self.role("duckdb", self.duckdb)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not self.failures, "\n".join(self.failures)
            self.look_at_the_end(urls[1])

    def look_at_the_end(self, url):
        self.update(url)
        self.scan()
        self.duckdb()
        report = json_lines(lochan("scan", "market/daily", "--columns", "price", "--json", lake=self.lake))
        assert abs(sum(r["price"] for r in report) - sum(month_sum(m, VERSIONS[1]) for m in MONTHS)) < 1e-3
        ticks = json_lines(lochan("run", "scan", "all", "holdings", "--columns", "tick", "--json", lake=self.lake))
        assert {row["tick"] for row in ticks} == self.acked and len(ticks) == ROWS_OF_AN_APPEND * len(self.acked)
        lochan("verify", "--deep", lake=self.lake)
        lochan("backup", self.folder / "backup", lake=self.lake)
        lochan("restore", self.folder / "backup", self.folder / "restored", "--verify")
        lochan("verify", "--deep", lake=self.folder / "restored")


def run(seconds, seed, folder):
    crowd = Crowd(folder, seconds, seed)
    crowd.run()
    return crowd


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180
    seed = sys.argv[2] if len(sys.argv) > 2 else "1"
    with tempfile.TemporaryDirectory(prefix="lochan-crowd-") as folder:
        crowd = run(seconds, seed, folder)
    print(f"crowd: {seconds:g} s, seed {seed}: done {dict(crowd.counts)}, conflicts {dict(crowd.conflicts)}")


if __name__ == "__main__":
    main()
