"""One job of the benchmark `parquet`, done by one of the peers: python parquet_peer.py PEER JOB... Prints one line of JSON.
Every peer gets the fastest call its Python package has for Arrow data in memory, and two threads.
"""
import json
import os
import pathlib
import resource
import sys
import time

os.environ["POLARS_MAX_THREADS"] = os.environ["OMP_NUM_THREADS"] = "2"


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Arrow:
    def __init__(self):
        import pyarrow
        import pyarrow.parquet
        pyarrow.set_cpu_count(2)
        pyarrow.set_io_thread_count(2)
        self.parquet = pyarrow.parquet

    def read(self, path, columns, asset):
        filters = [("asset", "=", asset)] if asset else None
        return self.parquet.read_table(path, columns=columns, filters=filters).num_rows

    def load(self, path):
        return self.parquet.read_table(path)

    def write(self, table, path, codec):
        self.parquet.write_table(table, path, compression=codec)


class Polars:
    def __init__(self):
        import polars
        self.polars = polars

    def read(self, path, columns, asset):
        if not asset:
            return self.polars.read_parquet(path, columns=columns).height
        return self.polars.scan_parquet(path).filter(self.polars.col("asset") == asset).collect().height

    def load(self, path):
        return self.polars.read_parquet(path)

    def write(self, table, path, codec):
        table.write_parquet(path, compression=codec)


class DuckDB:
    def __init__(self):
        import duckdb
        self.connection = duckdb.connect()
        self.connection.execute("set threads = 2")

    def read(self, path, columns, asset):
        names = ", ".join(columns) if columns else "*"
        where = f" where asset = '{asset}'" if asset else ""
        answer = self.connection.execute(f"select {names} from read_parquet('{path}'){where}")
        table = answer.to_arrow_table() if hasattr(answer, "to_arrow_table") else answer.fetch_arrow_table()
        return table.num_rows

    def load(self, path):
        self.connection.execute(f"create table t as from read_parquet('{path}')")
        return "t"

    def write(self, table, path, codec):
        self.connection.execute(f"copy {table} to '{path}' (format parquet, compression {codec})")


class Carquet:
    """The two calls of its Python package; it has no predicate."""
    def __init__(self):
        import carquet
        import pyarrow.parquet
        self.carquet, self.parquet = carquet, pyarrow.parquet

    def read(self, path, columns, asset):
        if asset:
            raise NotImplementedError("no predicate")
        return self.carquet.read_table(path, columns=columns).num_rows

    def load(self, path):
        return self.parquet.read_table(path)

    def write(self, table, path, codec):
        self.carquet.write_table(table, path, compression=codec)


PEERS = {"pyarrow": Arrow, "polars": Polars, "duckdb": DuckDB, "carquet": Carquet}


def main():
    peer = PEERS[sys.argv[1]]()
    job, times = sys.argv[2], int(sys.argv[3])
    if job == "read":
        path, columns, asset = sys.argv[4:7]
        columns = columns.split(",") if columns else None
        work = lambda: peer.read(path, columns, asset)
        prepare = lambda: None
    else:
        source, path, codec = sys.argv[4:7]
        table = peer.load(source)
        work = lambda: peer.write(table, path, codec)
        prepare = lambda: pathlib.Path(path).unlink(missing_ok=True)  # what becomes of an old file is not measured
    best = {"wall": 1e9, "cpu": 1e9, "rows": 0}
    for _ in range(times):
        prepare()
        used, begin = cpu(), time.perf_counter()
        rows = work()
        wall, used = time.perf_counter() - begin, cpu() - used
        best = {"wall": min(best["wall"], wall), "cpu": min(best["cpu"], used), "rows": rows}
    print(json.dumps(best))


if __name__ == "__main__":
    main()
