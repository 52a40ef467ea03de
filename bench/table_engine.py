"""Updates and reads of a keyed table (asset_id, time, four prices, a volume) by lochan, hand-written Polars, deltalake,
DuckDB's DuckLake and ArcticDB, on the same rows. Every operation is a process of its own; the clock runs from the opening
of the table to the end of the operation, in the same way for all. lochan and Polars sync what they write to the disk, the
others do not. Prints wall and processor seconds, peak memory, and lochan's ratio to each; only ratios count.

Usage: table_engine.py, or table_engine.py --peer NAME OPERATION FOLDER ARGUMENTS (one operation of a peer).
"""
import datetime
import importlib.util
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import polars

FIRST = datetime.date(2016, 1, 1)
ASSETS = int(os.environ.get("TABLE_BENCH_ASSETS", 5000))
DAYS = int(os.environ.get("TABLE_BENCH_DAYS", 2000))
ROUNDS = int(os.environ.get("TABLE_BENCH_ROUNDS", 3))
ONLY = os.environ.get("TABLE_BENCH_ONLY", "")
PEERS = os.environ.get("TABLE_BENCH_PEERS", "polars,deltalake,ducklake,arcticdb").split(",")
LARGE = os.environ.get("TABLE_BENCH_LARGE", "") == "1"
SPREAD, OVER = min(5000, ASSETS), 20
APPENDS, APPEND_ROWS = 300, min(500, ASSETS)
PARTITIONS = min(2500, ASSETS)
KEY = ["asset_id", "time"]


# ---- rows: the same numbers as table_engine_job.c makes ----

def values(frame, version):
    x = polars.col("a") * 7919 + polars.col("d") * 104729 + version * 31
    prices = [(((x + i * 101) % 100003) / 100.0).alias(name) for i, name in enumerate(("open", "high", "low", "close"))]
    return frame.select(
        (polars.lit(FIRST) + polars.duration(days=polars.col("d"))).cast(polars.Date).alias("time"),
        (polars.lit("A") + polars.col("a").cast(polars.String).str.zfill(5)).alias("asset_id"),
        *prices,
        (x % 1000003).alias("volume"),
    )


def numbers(a, d):
    return polars.DataFrame({"a": a, "d": d}, schema={"a": polars.Int64, "d": polars.Int64})


def day_rows(first, last, version=0, assets=None):
    assets = assets or ASSETS
    days = polars.DataFrame({"d": range(first, last)}, schema={"d": polars.Int64})
    return values(days.join(polars.DataFrame({"a": range(assets)}, schema={"a": polars.Int64}), how="cross"), version)


def spread_rows(seed, version):
    days = [(i % OVER * 7919 + seed) % DAYS for i in range(SPREAD)]
    return values(numbers([(i * 31 + seed) % ASSETS for i in range(SPREAD)], days), version)


def append_rows(i):
    each = ASSETS // APPEND_ROWS
    assets = [i % each * APPEND_ROWS + k for k in range(APPEND_ROWS)]
    return values(numbers(assets, [DAYS + 100 + i // each] * APPEND_ROWS), 0)


def partition_rows():
    return values(numbers([i % PARTITIONS for i in range(10000)], [i // PARTITIONS for i in range(10000)]), 0)


def history():
    for first in range(0, DAYS, 100):
        yield day_rows(first, min(first + 100, DAYS))


def month(frame):
    return frame.with_columns(polars.col("time").dt.strftime("%Y-%m").alias("month"))


# ---- peers ----

class Polars:
    """What a careful script does: a file a month, read, concatenated, the last of each key, sorted, written, synced."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def sync(self, path):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def upsert(self, frame, by="month"):
        for (name,), part in (month(frame) if by == "month" else frame).partition_by(by, as_dict=True).items():
            path = self.folder / f"{by}={name}.parquet"
            part = part.drop("month", strict=False)
            if path.exists():
                part = polars.concat([polars.read_parquet(path), part]).unique(KEY, keep="last").sort("time", "asset_id")
            part.write_parquet(f"{path}.tmp", compression="zstd")
            self.sync(f"{path}.tmp")
            os.rename(f"{path}.tmp", path)
        self.sync(self.folder)

    append = upsert

    def load(self):
        for part in history():
            self.upsert(part)

    def partitions(self, frame):
        self.upsert(frame, by="asset_id")

    def scan(self, condition):
        frame = polars.scan_parquet(self.folder / "month=*.parquet")
        return (frame.filter(condition) if condition is not None else frame).collect().height


class Delta:
    def __init__(self, folder):
        self.folder = folder

    def load(self):
        for part in history():
            self.append(part)

    def append(self, frame):
        import deltalake

        deltalake.write_deltalake(self.folder, month(frame).to_arrow(), mode="append", partition_by=["month"])

    def upsert(self, frame):
        import deltalake

        table = deltalake.DeltaTable(self.folder)
        same = "t.month = s.month AND t.time = s.time AND t.asset_id = s.asset_id"
        merge = table.merge(month(frame).to_arrow(), same, source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()

    def scan(self, condition):
        import deltalake

        frame = polars.scan_delta(deltalake.DeltaTable(self.folder))
        return (frame.filter(condition) if condition is not None else frame).collect().height


class DuckLake:
    def __init__(self, folder):
        import duckdb

        self.db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        for module, name in (("duckdb_extension_sqlite_scanner", "sqlite_scanner"), ("duckdb_extension_ducklake", "ducklake")):
            path = importlib.util.find_spec(module).submodule_search_locations[0]
            self.db.execute(f"LOAD '{next(pathlib.Path(path).rglob(name + '.duckdb_extension'))}'")
        self.db.execute(f"ATTACH 'ducklake:sqlite:{folder}/lake.db' AS lake (DATA_PATH '{folder}/data')")
        self.db.execute("USE lake")

    def load(self):
        part = day_rows(0, 1).to_arrow()  # noqa: F841: DuckDB finds it by its name
        self.db.execute("CREATE TABLE daily AS SELECT * FROM part LIMIT 0")
        self.db.execute("ALTER TABLE daily SET PARTITIONED BY (year(time), month(time))")
        for frame in history():
            self.append(frame)

    def append(self, frame):
        part = frame.to_arrow()  # noqa: F841
        self.db.execute("INSERT INTO daily SELECT * FROM part")

    def upsert(self, frame):
        part = frame.to_arrow()  # noqa: F841
        self.db.execute("MERGE INTO daily USING part AS s ON daily.time = s.time AND daily.asset_id = s.asset_id "
                        "WHEN MATCHED THEN UPDATE WHEN NOT MATCHED THEN INSERT")

    def scan(self, condition):
        where = {None: ""}.get(condition, condition)
        return self.db.execute(f"SELECT * FROM daily {where}").to_arrow_table().num_rows


class Arctic:
    """Rows by time; an update replaces whole days, so scattered rows are merged into the days they belong to."""

    def __init__(self, folder):
        import arcticdb

        self.library = arcticdb.Arctic(f"lmdb://{folder}?map_size=16GB").get_library("bench", create_if_missing=True)

    def pandas(self, frame):
        return frame.sort("time", "asset_id").to_pandas().astype({"time": "datetime64[ns]"}).set_index("time")

    def load(self):
        for i, part in enumerate(history()):
            (self.library.append if i else self.library.write)("daily", self.pandas(part))

    def append(self, frame):
        self.library.append("daily", self.pandas(frame))

    def upsert(self, frame):
        import pandas

        for (day,), part in frame.partition_by("time", as_dict=True).items():
            at = pandas.Timestamp(day)
            old = self.library.read("daily", date_range=(at, at)).data
            new = pandas.concat([old, self.pandas(part)]).reset_index()
            new = new.drop_duplicates(KEY, keep="last").sort_values("asset_id").set_index("time")
            self.library.update("daily", new)

    def scan(self, condition):
        if condition is None:
            return len(self.library.read("daily", output_format="PYARROW").data)
        return len(self.library.read("daily", **condition).data)


KINDS = {"polars": Polars, "deltalake": Delta, "ducklake": DuckLake, "arcticdb": Arctic}


def condition_of(kind, what):
    day = FIRST + datetime.timedelta(days=DAYS // 2)
    if what == "all":
        return None
    if kind == "ducklake":
        return "WHERE asset_id = 'A00007'" if what == "asset" else f"WHERE time = DATE '{day}'"
    if kind == "arcticdb":
        import arcticdb
        import pandas

        if what == "day":
            return {"date_range": (pandas.Timestamp(day), pandas.Timestamp(day))}
        query = arcticdb.QueryBuilder()
        return {"query_builder": query[query["asset_id"] == "A00007"]}
    return polars.col("asset_id") == "A00007" if what == "asset" else polars.col("time") == day


def prepare(kind, operation, arguments):
    """What the clock does not count: making the rows, importing modules."""
    __import__({"polars": "polars", "deltalake": "deltalake", "ducklake": "duckdb", "arcticdb": "arcticdb"}[kind])
    make = {"day": lambda n: [day_rows(DAYS + n, DAYS + n + 1)],
            "last": lambda n: [day_rows(DAYS - 1, DAYS, version=n + 1)],
            "spread": lambda n: [spread_rows(n, 10 + n)],
            "appends": lambda n: [append_rows(i) for i in range(n, n + APPENDS)],
            "partitions": lambda n: [partition_rows()]}
    return make[operation](int(arguments[0])) if operation in make else arguments


def peer(kind, operation, folder, arguments):
    os.makedirs(folder, exist_ok=True)
    given = prepare(kind, operation, arguments)
    condition = condition_of(kind, given[0]) if operation == "scan" else None
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    table, rows = KINDS[kind](folder), 0
    if operation == "scan":
        rows = table.scan(condition)
    elif operation == "load":
        table.load()
    else:
        call = {"day": "append", "appends": "append", "partitions": "partitions"}.get(operation, "upsert")
        for frame in given:
            getattr(table, call)(frame)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "mb": after.ru_maxrss / 1024, "rows": rows}))


# ---- the table of figures ----

ROOT = pathlib.Path(tempfile.mkdtemp(dir=os.environ.get("BENCH_DIR")))


def run_peer(kind, operation, *arguments):
    command = [sys.executable, "-B", __file__, "--peer", kind, operation, str(ROOT / kind), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(f"  {kind} {operation}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:150]}", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def lochan(operation, lake="lake", assets=None, **keys):
    command = [os.environ["TABLE_BENCH_JOB"], str(ROOT / lake), operation, f"assets={assets or ASSETS}"]
    out = subprocess.run(command + [f"{k}={v}" for k, v in keys.items()], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return {"wall": float(out[1]), "cpu": float(out[2]), "mb": float(out[3]), "rows": int(out[4]), "files": int(out[5])}


def best(runs):
    runs = [r for r in runs if r]
    return {k: min(r[k] for r in runs) for k in ("wall", "cpu", "mb")} if runs else None


def show(name, who, figures, ours=None):
    ratio = f"   lochan takes {ours['wall'] / figures['wall']:6.3f} of it (processor {ours['cpu'] / max(figures['cpu'], 1e-6):6.3f})" if ours else ""
    print(f"{name:34s} {who:10s} {figures['wall'] * 1e3:10.1f} ms {figures['cpu'] * 1e3:10.1f} ms cpu {figures['mb']:7.0f} MB{ratio}", flush=True)


def compare(name, ours, peers, rounds=None):
    """ours and peers: functions of the round."""
    if ONLY not in name:
        return None
    mine = best([ours(n) for n in range(rounds or ROUNDS)])
    show(name, "lochan", mine)
    for kind, call in peers.items():
        theirs = best([call(n) for n in range(rounds or ROUNDS)]) if kind in loaded else None
        if theirs:
            show(name, kind, theirs, mine)
    return mine


def flat():
    """One more day on longer and longer histories."""
    name = "one more day after"
    if not any(ONLY in f"{name} {n} days" for n in (250, 1000, 4000)):
        return
    seen = {}
    for days in (250, 1000, 4000):
        lake = f"history-{days}"
        lochan("load", lake, **{"from": 0, "to": days, "assets": ASSETS // 5})
        seen[days] = best([lochan("load", lake, **{"from": days + n, "to": days + n + 1, "assets": ASSETS // 5})
                           for n in range(max(ROUNDS, 5))])
        show(f"{name} {days} days", "lochan", seen[days])
    print(f"{'':34s} 4,000 days take {seen[4000]['wall'] / seen[250]['wall']:.2f} of 250 days"
          f" (processor {seen[4000]['cpu'] / seen[250]['cpu']:.2f})", flush=True)


def large():
    keys = {"lake": "large", "memory": 64 << 20, "assets": 5000}
    figures = [lochan("load", **keys, **{"from": d, "to": d + 1000}) for d in range(0, 20000, 1000)]
    show("100 M rows, limit 64 MB", "lochan", {"wall": sum(f["wall"] for f in figures), "cpu": sum(f["cpu"] for f in figures),
                                              "mb": max(f["mb"] for f in figures)})


def everyone(operation, *fixed, only=None):
    return {kind: (lambda n, kind=kind: run_peer(kind, operation, *(fixed or (n,)))) for kind in only or KINDS}


def updates():
    compare("one more day", lambda n: lochan("load", **{"from": DAYS + n, "to": DAYS + n + 1}), everyone("day"))
    compare("the last day revised", lambda n: lochan("load", **{"from": DAYS - 1, "to": DAYS, "version": n + 1}),
            everyone("last"))
    spread = {"from": 0, "to": DAYS, "n": SPREAD, "over": OVER}
    compare(f"{SPREAD} rows over {OVER} days", lambda n: lochan("rows", **spread, seed=n, version=10 + n), everyone("spread"))
    again = ROUNDS - 1
    mine = compare("the same rows again", lambda n: lochan("rows", **spread, seed=again, version=10 + again),
                   everyone("spread", again))
    if mine and lochan("rows", **spread, seed=again, version=10 + again)["files"]:
        print("the same rows again wrote files", flush=True)
    compare("10,000 rows into many partitions",
            lambda n: lochan("partitions", f"parts-{n}", strategy="identity", n=10000, over=PARTITIONS),
            {"polars": lambda n: (shutil.rmtree(ROOT / "polars" / "x", ignore_errors=True), run_peer("polars", "partitions", n))[1]},
            rounds=1)


def reads():
    day = FIRST + datetime.timedelta(days=DAYS // 2)
    compare("full scan", lambda n: lochan("scan"), everyone("scan", "all"))
    compare("one asset, clustered", lambda n: lochan("scan", table="clustered", where="asset_id = 'A00007'"),
            everyone("scan", "asset"))
    compare("one day", lambda n: lochan("scan", where=f"time = '{day}'"), everyone("scan", "day"))


def small_appends():
    name = f"{APPENDS} appends of {APPEND_ROWS}"
    if ONLY not in name:
        return
    compare(name, lambda n: lochan("appends", to=DAYS + 100, n=APPENDS, over=APPEND_ROWS), everyone("appends", 0), rounds=1)
    after = best([lochan("scan") for _ in range(ROUNDS)])
    show("joining their files", "lochan", lochan("compact"))
    joined = best([lochan("scan") for _ in range(ROUNDS)])
    print(f"{'':34s} before it the full scan takes {after['wall'] / joined['wall']:.2f} of that after it"
          f" (processor {after['cpu'] / joined['cpu']:.2f})", flush=True)


loaded = []


def main():
    print(f"{ASSETS} assets x {DAYS} days, best of {ROUNDS}", flush=True)
    flat()
    show("load", "lochan", lochan("load", **{"from": 0, "to": DAYS}))
    if ONLY in "one asset, clustered":
        lochan("load", table="clustered", cluster=1, **{"from": 0, "to": DAYS})
        show("clustering every partition", "lochan", lochan("compact", table="clustered", cluster=1))
    for kind in PEERS:
        figures = run_peer(kind, "load") if importlib.util.find_spec({"ducklake": "duckdb"}.get(kind, kind)) else None
        if figures:
            loaded.append(kind)
            show("load", kind, figures)
    reads()
    updates()
    small_appends()
    if LARGE:
        large()
    shutil.rmtree(ROOT)


if sys.argv[1:2] == ["--peer"]:
    peer(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
else:
    main()
