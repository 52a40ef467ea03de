"""Backfill of market rows (500 assets x 1000 days, 11 columns, CSV) from the project's feed on loopback: whole processes,
wall time and peak resident memory. The peer is what a researcher writes by hand today: threads, pyarrow's CSV reader and
Parquet writer, one file a month (script_peer.py). Both are run in turn, three times; the best of each counts.
"""
import datetime
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time

BIN = os.environ["LOCHAN_BIN"]
FOLDER = pathlib.Path(os.environ["BENCH_DIR"])
HERE = pathlib.Path(__file__).resolve().parent
ASSETS, DAYS, ROUNDS = 500, 1000, 3
FIRST = datetime.date(2020, 1, 1)

SOURCE = """name: market
kind: http
url: {url}
path: /{{source_dataset}}.csv
query: {{start: "{{start}}", end: "{{end}}"}}
format: csv
"""
NUMBERS = "open high low close pre_close change pct_chg vol amount".split()
DATASET = """name: daily
source: market
asset_column: ts_code
time_column: trade_date
request_options: {date_chunk_months: 1}
default_start: 2020-01-01
columns:
  time: {type: date, format: "%Y-%m-%d"}
""" + "".join(f"  {name}: float64\n" for name in NUMBERS) + """primary_key: [asset_id, time]
partition_strategy: year_month
sort_columns: [time, asset_id]
"""


def generate(path):
    rng = random.Random(7)
    price = [rng.uniform(5, 200) for _ in range(ASSETS)]
    with open(path, "w", encoding="ascii") as file:
        file.write("ts_code,trade_date," + ",".join(NUMBERS) + "\n")
        for d in range(DAYS):
            day = (FIRST + datetime.timedelta(days=d)).isoformat()
            for a in range(ASSETS):
                before = price[a]
                o, c = before * rng.uniform(0.98, 1.02), before * rng.uniform(0.97, 1.03)
                price[a], volume = c, rng.uniform(1e3, 1e6)
                file.write(f"{a:06d}.SZ,{day},{o:.2f},{max(o, c) * 1.01:.2f},{min(o, c) * 0.99:.2f},{c:.2f},{before:.2f},"
                           f"{c - before:.2f},{(c / before - 1) * 100:.4f},{volume:.2f},{volume * c / 10:.3f}\n")


def timed(command):
    """Wall seconds and peak resident MB of a process and nothing else."""
    start = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if process.returncode != 0:
        sys.exit(f"{command}: exit {process.returncode}\n{output.decode()}")
    return seconds, usage.ru_maxrss / 1024


def run(*args):
    subprocess.run([BIN, *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def fresh_lake(url):
    lake = FOLDER / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    (FOLDER / "source.yaml").write_text(SOURCE.format(url=url))
    (FOLDER / "daily.yaml").write_text(DATASET)
    run("--lake", lake, "init")
    run("--lake", lake, "source", "add", FOLDER / "source.yaml")
    run("--lake", lake, "dataset", "add", FOLDER / "daily.yaml")
    return lake


def start_feed():
    ready = FOLDER / "port"
    feed = subprocess.Popen([BIN, "feed", str(FOLDER / "daily.csv"), "--port", "0", "--ready-file", str(ready)],
                            stdout=subprocess.DEVNULL)
    while not (ready.exists() and ready.read_text().strip()):
        if feed.poll() is not None:
            sys.exit("the feed did not start")
        time.sleep(0.01)
    return feed, f"http://127.0.0.1:{ready.read_text().strip()}"


def check_rows(lake):
    done = subprocess.run([BIN, "--lake", str(lake), "status", "--json"], check=True, capture_output=True, text=True)
    assert f'"rows":{ASSETS * DAYS},' in done.stdout.replace(" ", ""), done.stdout


def main():
    generate(FOLDER / "daily.csv")
    feed, url = start_feed()
    ours, peer = [], []
    try:
        for _ in range(ROUNDS):
            lake = fresh_lake(url)
            ours.append(timed([BIN, "--lake", lake, "backfill", "market/daily", "--start", "2020-01-01", "--end", "2022-12-31"]))
            check_rows(lake)
            shutil.rmtree(FOLDER / "peer", ignore_errors=True)
            peer.append(timed([sys.executable, HERE / "script_peer.py", url, FOLDER / "peer"]))
        idle = [timed([BIN, "--lake", lake, "update", "market/daily", "--end", "2022-12-31"])[0] for _ in range(9)]
        status = [timed([BIN, "--lake", lake, "status"])[0] for _ in range(9)]
        again = timed([BIN, "--lake", lake, "update", "market/daily", "--end", "2022-12-31", "--force"])[0]
    finally:
        feed.send_signal(signal.SIGTERM)
        feed.wait()
    rows = ASSETS * DAYS
    best, other = min(ours), min(peer)
    print(f"{'':32}{'M rows/s':>10}{'MB':>8}")
    print(f"{'lochan backfill':32}{rows / best[0] / 1e6:10.2f}{max(o[1] for o in ours):8.0f}")
    print(f"{'script: threads + pyarrow':32}{rows / other[0] / 1e6:10.2f}{max(p[1] for p in peer):8.0f}")
    print(f"ratio (higher is better)         {other[0] / best[0]:9.2f}")
    print(f"the same again (--force)         {rows / again / 1e6:9.2f} M rows/s, no file written")
    print(f"nothing to do: {statistics.median(idle) * 1e3:.1f} ms a process; status: {statistics.median(status) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
