"""Reading and writing Parquet, lochan beside its peers on the same files, codec and number of threads (two).

Three shapes, made by parquet_job: a market table (5,000,000 rows of 8 columns, by day; for the search of one asset also
sorted by asset), a nested table (1,000,000 decisions of agents), a wide one (200,000 rows of 300 floats). Each job runs in
a process of its own, which does it three times; the processes take turns, and the best of all counts. Files to be read
were written once by pyarrow and once by lochan, since both kinds are met.
"""
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ["BENCH_DIR"])
JOB = os.environ.get("PARQUET_BENCH_JOB", str(HERE.parent / "build" / "release" / "bench" / "parquet_job"))
PYTHON = os.environ["PARQUET_BENCH_PYTHON"]
ROWS = int(os.environ.get("PARQUET_BENCH_ROWS", "5000000"))
ROUNDS = int(os.environ.get("PARQUET_BENCH_ROUNDS", "3"))
ONLY = os.environ.get("PARQUET_BENCH_ONLY", "")
TIMES = "3"
ASSET = "000701.SZ"
SHAPES = {"market": ROWS, "sorted": ROWS, "nested": ROWS // 5, "wide": ROWS // 25}


def installed(module):
    return subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode == 0


def run(command, **environment):
    """The JSON a job prints; None if it could not do it."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=dict(os.environ, **environment))
    if done.returncode != 0:
        if "NotImplementedError" not in done.stderr:
            print(f"  {' '.join(map(str, command[-6:]))}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def cp(source, target):
    """What `cp` takes, in the form of a job."""
    best = {"wall": 1e9, "cpu": 1e9, "rows": 0}
    for _ in range(int(TIMES)):
        target.unlink(missing_ok=True)
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(["cp", "--reflink=never", source, target], check=True)
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best["wall"], best["cpu"] = min(best["wall"], wall), min(best["cpu"], used)
    return best


class Row:
    def __init__(self, name, job, shape, **options):
        self.name, self.job, self.shape, self.options = name, job, shape, options

    def command(self, who):
        o = self.options
        if self.job == "read":
            path, columns, asset = FOLDER / o["file"], o.get("columns", ""), o.get("asset", "")
            if who == "lochan":
                return [JOB, "read", path, TIMES, columns, f"asset = '{asset}'" if asset else ""]
            return [PYTHON, "-B", HERE / "parquet_peer.py", who, "read", TIMES, path, columns, asset]
        source, target = FOLDER / f"{self.shape}.parquet", FOLDER / f"out-{who}.parquet"
        if self.job == "copy":
            source = FOLDER / o["file"]
            return [JOB, "copy", source, target, TIMES] if who == "lochan" else ["cp", source, target]
        if who == "lochan":
            return [JOB, "write", source, target, o["codec"], TIMES]
        return [PYTHON, "-B", HERE / "parquet_peer.py", who, "write", TIMES, source, target, o["codec"]]

    def measure(self, who):
        """Best wall, processor seconds and file size over the rounds, by name of who did it."""
        found = {}
        for _ in range(ROUNDS):
            for name in who:
                command = self.command(name)
                got = cp(*command[1:]) if command[0] == "cp" else run(command)
                if not got:
                    continue
                best = found.setdefault(name, {"wall": 1e9, "cpu": 1e9, "rows": 0, "size": 0})
                best["wall"], best["cpu"] = min(best["wall"], got["wall"]), min(best["cpu"], got["cpu"])
                best["rows"] = got["rows"]
                if self.job == "write":
                    best["size"] = (FOLDER / f"out-{name}.parquet").stat().st_size
        if self.job == "read" and len({f["rows"] for f in found.values()}) > 1:
            sys.exit(f"{self.name}: rows differ: {found}")
        return found


def rows_of_table():
    rows = []
    for maker in ("pyarrow", "lochan"):
        for codec in ("zstd", "snappy"):
            rows.append(Row(f"market: read all, {codec}, file of {maker}", "read", "market",
                            file=f"market-{maker}-{codec}.parquet"))
        rows.append(Row(f"market: read 2 of 8, zstd, file of {maker}", "read", "market",
                        file=f"market-{maker}-zstd.parquet", columns="asset,close"))
        rows.append(Row(f"market: one asset, by day, zstd, file of {maker}", "read", "market",
                        file=f"market-{maker}-zstd.parquet", asset=ASSET))
        rows.append(Row(f"market: one asset, sorted, zstd, file of {maker}", "read", "sorted",
                        file=f"sorted-{maker}-zstd.parquet", asset=ASSET))
        rows.append(Row(f"nested: read all, zstd, file of {maker}", "read", "nested",
                        file=f"nested-{maker}-zstd.parquet"))
        rows.append(Row(f"wide: read all, zstd, file of {maker}", "read", "wide", file=f"wide-{maker}-zstd.parquet"))
        rows.append(Row(f"wide: read 2 of 300, zstd, file of {maker}", "read", "wide",
                        file=f"wide-{maker}-zstd.parquet", columns="f010,f200"))
    for shape in ("market", "nested", "wide"):
        for codec in ("zstd", "snappy"):
            rows.append(Row(f"{shape}: write {codec}", "write", shape, codec=codec))
    for shape in ("market", "nested", "wide"):
        rows.append(Row(f"{shape}: raw copy, checksums verified, beside cp", "copy", shape,
                        file=f"{shape}-lochan-zstd.parquet"))
    return [r for r in rows if ONLY in r.name]


def prepare(rows):
    """The tables, and the files to be read."""
    needed = {r.shape for r in rows} | {"market"}
    for shape in needed:
        subprocess.run([JOB, "make", shape, FOLDER / f"{shape}.parquet", str(SHAPES[shape])], check=True)
    for name in sorted({r.options["file"] for r in rows if r.job != "write"}):
        shape, maker, codec = name.removesuffix(".parquet").split("-")
        source, target = FOLDER / f"{shape}.parquet", FOLDER / name
        if maker == "lochan":
            command = [JOB, "write", source, target, codec, "1"]
        else:
            command = [PYTHON, "-B", HERE / "parquet_peer.py", maker, "write", "1", source, target, codec]
        if not run(command):
            sys.exit(f"cannot write {name}")


def report(row, found, peers):
    ours, best = found.pop("lochan", None), None
    if not ours:
        sys.exit(f"{row.name}: lochan failed")
    theirs = list(found.values())
    best = {k: min(f[k] for f in theirs) for k in ("wall", "cpu")}
    cells = [f"{ours['wall']:.3f}"] + [f"{found[p]['wall']:.3f}" if p in found else "-" for p in peers]
    cells += [f"{best['wall'] / ours['wall']:.2f}", f"{best['cpu'] / ours['cpu']:.2f}"]
    if row.job == "write":
        limit = run([JOB, "limits", FOLDER / "out-lochan.parquet"])
        cells.append(f"{ours['size'] / min(f['size'] for f in theirs):.3f}")
        cells.append(f"packing {limit['pack']:.3f} + storing {limit['store']:.3f}")
    elif row.job == "copy":
        cells += ["", f"cp {best['wall']:.3f}"]
    elif not row.options.get("columns") and not row.options.get("asset"):
        limit = run([JOB, "limits", FOLDER / row.options["file"]])
        cells += ["", f"unpacking {limit['unpack']:.3f}, memcpy {limit['copy_gb_s']:.1f} GB/s"]
    else:
        cells += ["", ""]
    print(f"| {row.name} | " + " | ".join(cells) + " |", flush=True)
    sizes = "".join(f" {n} {f['size'] / 1e6:.1f}" for n, f in {"lochan": ours, **found}.items() if f["size"])
    if sizes:
        print(f"|   MB:{sizes} |" + " |" * len(cells), flush=True)


def memory():
    """Peak memory of one process that streams 2 GB of arrays (less if the tables are smaller). The rows come from a file
    of short row groups, which takes little to read."""
    total = 2 * 10**9 * ROWS // 5000000
    for shape in ("market", "nested", "wide"):
        source, target = FOLDER / f"short-{shape}.parquet", FOLDER / "stream.parquet"
        short = dict(os.environ, PARQUET_BENCH_GROUP_ROWS="8192")
        subprocess.run([JOB, "make", shape, source, str(SHAPES[shape] // 4)], check=True, env=short)
        wrote = run([JOB, "stream-write", source, target, str(total)])
        limited = run([JOB, "stream-write", source, target, str(total)], PARQUET_BENCH_MEMORY=str(64 << 20))
        read = run([JOB, "stream-read", target])
        for what, got in (("written", wrote), ("written within 64 MB", limited), ("read", read)):
            print(f"{shape}: {total / 1e9:.2f} GB of arrays {what} as a stream: peak {got['peak_kb'] / 1024:.0f} MB, "
                  f"{got['rows'] / got['wall'] / 1e6:.1f} M rows/s", flush=True)


def main():
    peers = [p for p in ("pyarrow", "polars", "duckdb", "carquet") if installed(p)]
    rows = rows_of_table()
    prepare(rows)
    print(f"seconds, best of {ROUNDS} processes x {TIMES}; ratios: best of the peers / lochan (more than 1: lochan is "
          f"faster), by wall time and by processor time; {ROWS:,} rows\n")
    print("| job | lochan | " + " | ".join(peers) + " | ratio | ratio, CPU | size / smallest | limits |")
    print("|---|" + "---|" * (len(peers) + 5))
    for row in rows:
        others = ["cp"] if row.job == "copy" else peers
        report(row, row.measure(["lochan"] + others), peers)
    if not ONLY or ONLY in "memory":
        print()
        memory()


if __name__ == "__main__":
    main()
