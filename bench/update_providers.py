"""Updates from providers of other shapes than CSV, over the project's feed on loopback: Tushare's JSON, one request an asset,
a provider that takes its time, nothing to fetch, the same data again. Per case: wall seconds, CPU seconds of the process
(user + system), rows/s by wall time, peak resident memory. BENCH_PEER_PYTHON names a Python 3.13 that has bagelquant-data
0.2.0: then it does the backfill (by day, its way) and by_asset after lochan, over the same feed.
"""
import datetime
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

BIN = os.environ["LOCHAN_BIN"]
FOLDER = pathlib.Path(os.environ["BENCH_DIR"])
ASSETS, DAYS = int(os.environ.get("BENCH_ASSETS", 500)), int(os.environ.get("BENCH_DAYS", 1000))
FIRST = datetime.date(2018, 1, 1)
LAST = FIRST + datetime.timedelta(days=DAYS - 1)
REPORTS, REPORT_ROWS = 500, 20
LAST_REPORT = FIRST + datetime.timedelta(days=45 * REPORT_ROWS)

os.environ["TUSHARE_TOKEN"] = "a-token-for-the-bench"
os.environ["XDG_STATE_HOME"] = str(FOLDER / "state")

# One request a month: `daily` of Tushare is asked by day, which is a matter of its caps, not of speed.
DAILY = """name: daily_months
source: tushare
source_dataset: daily
asset_column: ts_code
time_column: trade_date
request_options: {date_chunk_months: 1, params: {start_date: "{start}", end_date: "{end}"}}
default_start: 2018-01-01
columns:
""" + "".join(f"  {name}: float64\n" for name in
              "open high low close pre_close change pct_chg vol amount".split()) + """primary_key: [asset_id, time]
partition_strategy: year_month
sort_columns: [time, asset_id]
"""
REPORT = """name: reports
source: tushare
request_planner: by_asset
request_options: {request_param: ts_code, params: {start_date: "{start}", end_date: "{end}"}}
asset_column: ts_code
time_column: ann_date
default_start: 2018-01-01
columns: {revenue: float64, profit: float64}
primary_key: [asset_id, time]
partition_strategy: ten_year_range
"""


def generate_daily(path):
    rng = random.Random(7)
    price = [rng.uniform(5, 200) for _ in range(ASSETS)]
    with open(path, "w", encoding="ascii") as file:
        file.write("ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n")
        for d in range(DAYS):
            day = (FIRST + datetime.timedelta(days=d)).strftime("%Y%m%d")
            for a in range(ASSETS):
                before = price[a]
                o, c = before * rng.uniform(0.98, 1.02), before * rng.uniform(0.97, 1.03)
                price[a], volume = c, rng.uniform(1e3, 1e6)
                file.write(f"{a:06d}.SZ,{day},{o:.2f},{max(o, c) * 1.01:.2f},{min(o, c) * 0.99:.2f},{c:.2f},{before:.2f},"
                           f"{c - before:.2f},{(c / before - 1) * 100:.4f},{volume:.2f},{volume * c / 10:.3f}\n")


def generate_reports(path):
    rng = random.Random(8)
    with open(path, "w", encoding="ascii") as file:
        file.write("ts_code,ann_date,revenue,profit\n")
        for a in range(REPORTS):
            for q in range(REPORT_ROWS):
                day = (FIRST + datetime.timedelta(days=45 * q + a % 40)).strftime("%Y%m%d")
                file.write(f"{a:06d}.SZ,{day},{rng.uniform(1e6, 1e9):.2f},{rng.uniform(1e5, 1e8):.2f}\n")


class Feed:
    """lochan feed over FOLDER/data, in a process of its own."""

    def __init__(self, *options):
        ready = FOLDER / "port"
        ready.unlink(missing_ok=True)
        self.process = subprocess.Popen([BIN, "feed", str(FOLDER / "data"), "--port", "0", "--ready-file", str(ready),
                                         *options], stdout=subprocess.DEVNULL)
        while not (ready.exists() and ready.read_text().strip()):
            if self.process.poll() is not None:
                sys.exit("the feed did not start")
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{ready.read_text().strip()}"

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def run(*args):
    subprocess.run([BIN, *map(str, args)], check=True, stdout=subprocess.DEVNULL)


def lake_for(feed, *specs):
    lake = FOLDER / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    shutil.rmtree(FOLDER / "state", ignore_errors=True)
    run("--lake", lake, "init")
    run("--lake", lake, "source", "add", "tushare")
    limits = [f"rate_limit.{unit}=1000000" for unit in ("per_second", "per_minute")]
    run("--lake", lake, "source", "set", "tushare", f"url={feed.url}", "paging.page_size=100000", *limits)
    for number, spec in enumerate(specs):
        path = FOLDER / f"dataset{number}.yaml"
        path.write_text(spec)
        run("--lake", lake, "dataset", "add", path)
    return lake


class Timing:
    """Wall and CPU seconds and peak MB of a process and nothing else."""

    def __init__(self, command):
        start = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.megabytes = usage.ru_maxrss / 1024
        if process.returncode != 0:
            sys.exit(f"{command}: exit {process.returncode}\n{output.decode()}")


def update(lake, dataset, *more, **days):
    command = [BIN, "--lake", lake, "update", f"tushare/{dataset}", "--end", days.get("end", LAST.isoformat()), *more]
    return Timing(command)


def show(name, timing, rows=0, remark=""):
    speed = f"{rows / timing.wall / 1e6:8.2f}" if rows else " " * 8
    print(f"{name:38}{timing.wall:8.2f}{timing.cpu:8.2f}{speed}{timing.megabytes:7.0f}  {remark}", flush=True)


def check(lake, dataset, rows):
    done = subprocess.run([BIN, "--lake", str(lake), "status", "--json"], check=True, capture_output=True, text=True)
    text = done.stdout.replace(" ", "")
    assert f'"dataset":"{dataset}"' in text and f'"rows":{rows},' in text, done.stdout


def peer(feed, name, kind, scopes, rows, last):
    """The same job by bagelquant-data, in a process of its own."""
    python = os.environ.get("BENCH_PEER_PYTHON")
    if not python:
        return
    lake, listed = FOLDER / "peer", FOLDER / "scopes"
    shutil.rmtree(lake, ignore_errors=True)
    listed.write_text("\n".join(scopes))
    script = pathlib.Path(__file__).with_name("update_peer.py")
    show("  bagelquant-data", Timing([python, "-B", script, f"{feed.url}/", "a-token", lake, name, kind, listed, last]), rows)


def daily_cases():
    rows = ASSETS * DAYS
    with Feed() as feed:
        lake = lake_for(feed, DAILY)
        show("backfill of daily, JSON", update(lake, "daily_months"), rows)
        check(lake, "daily_months", rows)
        days = [(FIRST + datetime.timedelta(days=d)).strftime("%Y%m%d") for d in range(DAYS)]
        peer(feed, "daily", "by_daily", days, rows, LAST)
        idle = min((update(lake, "daily_months") for _ in range(5)), key=lambda t: t.wall)
        show("nothing to fetch", idle, remark=f"{idle.wall * 1e3:.1f} ms a process")
        show("the same data again (--force)", update(lake, "daily_months", "--force"), rows)
    with Feed("--latency-ms", "20") as feed:
        lake = lake_for(feed, DAILY.replace("date_chunk_months: 1", "date_chunk_days: 2"))
        requests, workers = (DAYS + 1) // 2, 8
        timing = update(lake, "daily_months", "--workers", str(workers))
        allowed = requests / workers * 0.020
        show(f"20 ms an answer, {requests} requests, 8 workers", timing, rows,
             f"{100 * allowed / timing.wall:.0f} % of what the latency allows ({allowed:.2f} s)")


def report_case():
    with Feed() as feed:
        lake = lake_for(feed, REPORT)
        assets = ",".join(f"{a:06d}.SZ" for a in range(REPORTS))
        show(f"by_asset, {REPORTS} requests of {REPORT_ROWS} rows", update(lake, "reports", "--assets", assets, end=LAST_REPORT),
             REPORTS * REPORT_ROWS)
        check(lake, "reports", REPORTS * REPORT_ROWS)
        peer(feed, "reports", "by_asset", assets.split(","), REPORTS * REPORT_ROWS, LAST_REPORT)


def main():
    data = FOLDER / "data"
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "daily.csv").exists():
        generate_daily(data / "daily.csv")
    generate_reports(data / "reports.csv")
    print(f"{'':38}{'wall s':>8}{'CPU s':>8}{'M rows/s':>8}{'MB':>7}")
    daily_cases()
    report_case()


if __name__ == "__main__":
    main()
