"""Run tables beside a bare Polars write and beside the algorithm of the Python original: one part a bucket, written by
pyarrow, and one whole JSON manifest an append. Prints ratios of wall time and of processor time in one run, the best of a
few rounds in turn; machines differ, only ratios count. Usage: run_tables.py [--quick]
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid

import polars
import pyarrow.parquet

import lochan.io

QUICK = "--quick" in sys.argv
JOB = os.environ.get("RUN_TABLES_JOB", "build/release/bench/run_tables_job")
ROOT = tempfile.mkdtemp(dir=os.environ.get("BENCH_DIR"))
PARTS = 500 if QUICK else 5000
ROUNDS = 1 if QUICK else 3


def holdings(tick, rows, per_tick):
    return polars.DataFrame(
        {
            "tick": [tick + i // per_tick for i in range(rows)],
            "agent_id": [f"agent-{i * 7919 % 1000:05d}" for i in range(rows)],
            "token_id": [f"T{i % 10}" for i in range(rows)],
            "quantity": [i * 31 % 1009 for i in range(rows)],
        }
    )


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def bare(folder, frame):
    """What a careful script does: write, sync, rename, sync the folder."""
    name = os.path.join(folder, uuid.uuid4().hex)
    frame.write_parquet(name + ".tmp", compression="zstd")
    sync(name + ".tmp")
    os.rename(name + ".tmp", name + ".parquet")
    sync(folder)


def write_part(frame, path):
    table = frame.to_arrow().replace_schema_metadata({b"crv_table_name": b"holdings", b"crv_run_id": b"bench"})
    pyarrow.parquet.write_table(table, path, compression="zstd", row_group_size=131072)


class Original:
    """One part a bucket, then the manifest of the whole table is read, changed and written again."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "manifest.json")

    def manifest(self):
        if not os.path.exists(self.path):
            return {"table": "holdings", "version": 1, "partitions": {}}
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    def append(self, frame):
        frame = frame.with_columns((polars.col("tick") // 100).alias("bucket"))
        manifest = self.manifest()
        for bucket in frame["bucket"].unique().sort().to_list():
            part = frame.filter(polars.col("bucket") == bucket)
            folder = os.path.join(self.folder, f"bucket={bucket:06d}")
            os.makedirs(folder, exist_ok=True)
            name = f"part-{uuid.uuid4().hex}.parquet"
            write_part(part, os.path.join(folder, name + ".tmp"))
            sync(os.path.join(folder, name + ".tmp"))
            os.rename(os.path.join(folder, name + ".tmp"), os.path.join(folder, name))
            entry = manifest["partitions"].setdefault(f"{bucket:06d}", {"parts": [], "bucket_id": bucket})
            entry["parts"].append(
                {
                    "path": name,
                    "rows": part.height,
                    "bytes": os.path.getsize(os.path.join(folder, name)),
                    **part.select(tick_min=polars.min("tick"), tick_max=polars.max("tick")).to_dicts()[0],
                    "created_at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
                }
            )
        with open(self.path + ".tmp", "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2)
        os.rename(self.path + ".tmp", self.path)

    def read(self, low=None, high=None):
        paths = []
        for entry in self.manifest()["partitions"].values():
            first = min(p["tick_min"] for p in entry["parts"])
            last = max(p["tick_max"] for p in entry["parts"])
            if (low is None or last >= low) and (high is None or first <= high):
                paths += [os.path.join(self.folder, f"bucket={entry['bucket_id']:06d}", p["path"]) for p in entry["parts"]]
        frame = polars.scan_parquet(paths)
        if low is not None:
            frame = frame.filter(polars.col("tick").is_between(low, high))
        return frame.collect()

    def rebuild(self):
        for entry in self.manifest()["partitions"].values():
            for part in entry["parts"]:
                path = os.path.join(self.folder, f"bucket={entry['bucket_id']:06d}", part["path"])
                polars.scan_parquet(path).select(polars.len(), polars.min("tick"), polars.max("tick").alias("m")).collect()


def measure(work):
    """Wall and processor seconds of a call."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    work()
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def job(lake, name, n=1, durability="full"):
    out = subprocess.run(
        [JOB, os.path.join(ROOT, lake), name, str(n), durability], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout.split()
    return float(out[1]), float(out[2])


def show(what, ours, theirs, of):
    wall, cpu = ours[0] / theirs[0], ours[1] / theirs[1] if theirs[1] else float("nan")
    print(f"{what:58s} {ours[0] * 1e3:9.1f} ms  {wall:6.3f} of {of} (processor {cpu:.3f})", flush=True)


def in_turn(n, *works):
    """The best of n rounds of each, by wall time and by processor time."""
    seen = [[work() for work in works] for _ in range(n)]
    return [tuple(min(row[k][i] for row in seen) for i in range(2)) for k in range(len(works))]


def appends(n):
    folder = os.path.join(ROOT, "bare")
    os.makedirs(folder)
    frame = holdings(0, 1000, 1000)
    bare(folder, frame)
    for durability in ("full", "normal"):
        lake, through = "append-" + durability, os.path.join(ROOT, "python-" + durability)
        data = lochan.io.Dataset(lochan.io.IoSettings(root_dir=through, durability=durability), "bench")
        data.append("holdings", frame)
        job(lake, "append", 20, durability)
        peer, ours, python = in_turn(
            ROUNDS,
            lambda: measure(lambda: [bare(folder, frame) for _ in range(n)]),
            lambda: job(lake, "append", n, durability),
            lambda: measure(lambda: [data.append("holdings", frame) for _ in range(n)]),
        )
        show(f"{n} appends of 1,000 rows, {durability}", ours, peer, "bare Polars")
        show(f"{n} appends of 1,000 rows through Python, {durability}", python, peer, "bare Polars")


def growth():
    first = job("growth", "append", 500, "normal")
    job("growth", "append", PARTS * 2 - 1000, "normal")
    show(f"500 appends at {PARTS * 2 - 500} parts", job("growth", "append", 500, "normal"), first, "those at 0 parts")
    job("growth", "list", 10000 if QUICK else 100000)
    show("500 appends at 100,000 more listed parts", job("growth", "append", 500, "normal"), first, "those at 0 parts")


def texts(prefix, numbers, n, digits=0):
    text = (numbers % n).cast(polars.String)
    return prefix + (text.str.zfill(digits) if digits else text)


def wide_tables(rows):
    """Frames of the four tables that runs write most, 10,000 rows a tick."""
    i = polars.Series(range(rows))
    tick, agent, other = i // 10000, texts("agent-", i * 7919, 1000, 5), texts("agent-", i * 104729, 1000, 5)
    token, real = texts("T", i, 10), (i * 31 % 1009).cast(polars.Float64) / 7
    kind, side = texts("kind-", i * 13, 4), texts("side-", i * 17, 2)
    price = polars.DataFrame({"price": real * 3, "size": i % 50}).to_struct("payload")
    action = polars.DataFrame({"kind": kind, "token_id": token, "amount": real}).to_struct("action")
    columns = {
        "exchange": {
            "venue_id": texts("venue-", i, 3),
            "token_id": token,
            "exchange_event_type": kind,
            "side": side,
            "quantity": real,
            "price": real * 3,
            "actor_agent_id": agent,
            "counterparty_agent_id": other,
            "baseline_value": real * 2,
            "additional_payload": price,
        },
        "holdings": {"agent_id": agent, "token_id": token, "quantity": i * 31 % 1009},
        "messages": {
            "sender_agent_id": agent,
            "channel_name": texts("channel-", i * 11, 20),
            "visibility_scope": side,
            "audience": polars.DataFrame({"kind": kind, "agent_id": other}).to_struct("a"),
            "speech_act": kind,
            "topic_label": texts("topic-", i * 37, 40),
            "stance_label": side,
            "claims": polars.DataFrame({"token_id": token, "value": real}).to_struct("c"),
            "style": polars.DataFrame({"tone": kind, "length": i % 200}).to_struct("s"),
        },
        "decisions": {
            "agent_id": agent,
            "chosen_action": action,
            "action_candidates": polars.DataFrame({"x": action}).select(polars.concat_list("x", "x"))["x"],
            "token_value_estimates": polars.DataFrame({"T0": real, "T1": real * 5}).to_struct("e"),
        },
    }
    return {name: polars.DataFrame({"tick": tick, **c}) for name, c in columns.items()}


def millions():
    turn = iter(range(1000))

    def ours(name, frame):
        settings = lochan.io.IoSettings(root_dir=os.path.join(ROOT, f"million-{next(turn)}"))
        return measure(lambda: lochan.io.Dataset(settings, "bench").append(name, frame))

    def theirs(frame):
        folder = os.path.join(ROOT, f"million-{next(turn)}")
        os.makedirs(folder)
        return measure(lambda: Original(folder).append(frame))

    for name, frame in wide_tables(100000 if QUICK else 1000000).items():
        best, peer = in_turn(ROUNDS, lambda: ours(name, frame), lambda: theirs(frame))
        show(f"{len(frame):,} rows of {name} in one append, Python", best, peer, "the original")


def whole(old):
    frame = holdings(0, 10000, 1)
    for name in ("wide-old", "parts-old", "rebuild-old"):
        os.makedirs(os.path.join(ROOT, name), exist_ok=True)
    wide = Original(os.path.join(ROOT, "wide-old"))
    for durability in ("full", "normal"):
        best, peer = in_turn(
            ROUNDS, lambda: job("wide-" + durability, "wide", 1, durability), lambda: measure(lambda: wide.append(frame))
        )
        show(f"10,000 rows over 100 buckets, {durability}", best, peer, "the original")
    for tick in range(PARTS):
        old.append(holdings(tick, 1000, 1000)) if QUICK else old_part(old, tick)
    job("parts", "append", PARTS, "normal")
    low, high = (100, 109) if QUICK else (2000, 2009)
    best, peer = in_turn(ROUNDS, lambda: job("parts", "ticks"), lambda: measure(lambda: old.read(low, high)))
    show(f"10 ticks of {PARTS} parts", best, peer, "the original")
    best, peer = in_turn(ROUNDS, lambda: job("parts", "read"), lambda: measure(old.read))
    show(f"all of {PARTS} parts of 1,000 rows", best, peer, "the original")
    few = Original(os.path.join(ROOT, "rebuild-old"))
    for tick in range(1000):
        old_part(few, tick)
    job("rebuild", "append", 1000, "normal")
    best, peer = in_turn(ROUNDS, lambda: job("rebuild", "rebuild"), lambda: measure(few.rebuild))
    show("rebuild of 1,000 parts", best, peer, "the original")


def old_part(old, tick, cache={}):
    """A part of the original without the n-th writing of its manifest, which is written once in a hundred."""
    pending = cache.setdefault(old.folder, {"table": "holdings", "version": 1, "partitions": {}})
    folder = os.path.join(old.folder, f"bucket={tick // 100:06d}")
    os.makedirs(folder, exist_ok=True)
    name = f"part-{tick}.parquet"
    frame = cache.setdefault("frame", holdings(0, 1000, 1000)).with_columns(
        polars.lit(tick).alias("tick"), polars.lit(tick // 100).alias("bucket")
    )
    write_part(frame, os.path.join(folder, name))
    entry = pending["partitions"].setdefault(f"{tick // 100:06d}", {"parts": [], "bucket_id": tick // 100})
    size = os.path.getsize(os.path.join(folder, name))
    entry["parts"].append({"path": name, "rows": 1000, "bytes": size, "tick_min": tick, "tick_max": tick, "created_at": "2025"})
    if tick % 100 == 99:
        with open(old.path, "w", encoding="utf-8") as file:
            json.dump(pending, file, indent=2)


def together():
    n = 500 if QUICK else 5000
    for durability in ("full", "normal"):
        one = job("one-" + durability, "append", n, durability)
        began = time.monotonic()
        lake = os.path.join(ROOT, "two-" + durability)
        subprocess.run([JOB, lake, "append", "1", durability], check=True, stdout=subprocess.DEVNULL)
        both = [subprocess.Popen([JOB, lake, "append", str(n), durability], stdout=subprocess.DEVNULL) for _ in range(2)]
        assert all(p.wait() == 0 for p in both)
        wall = time.monotonic() - began
        rows = subprocess.run([JOB, lake, "read"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
        print(f"two processes x {n} appends, {durability}: {2 * one[0] / wall:.2f} times the throughput of one; {rows.strip()}", flush=True)


def main():
    appends(100 if QUICK else 300)
    growth()
    whole(Original(os.path.join(ROOT, "parts-old")))
    millions()
    together()


main()
