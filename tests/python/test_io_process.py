"""lochan.io among threads, processes, signals and forks; memory and descriptors."""
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import lochan
import polars as pl
import pyarrow as pa
import pytest
from io_data import holdings, settings
from lake_data import ROOT, run as run_script
from lochan.io import Dataset, IoError, scan_runs

HEAD = f"""
import os, sys, signal, threading, time
sys.path.insert(0, {str(ROOT / 'tests' / 'python')!r})
from io_data import *
from lochan.io import *
import polars as pl
"""


def start(script, cwd):
    return subprocess.Popen([sys.executable, "-c", HEAD + textwrap.dedent(script)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def test_many_processes_append_to_one_run_and_to_many(tmp_path):
    script = """
        me = int({i})
        shared, own = Dataset(settings("out"), "shared"), Dataset(settings("out"), f"own-{{me}}")
        for k in range(25):
            shared.append("holdings", holdings([me * 1000 + k]))
            own.append("holdings", holdings([k]))
        """
    processes = [start(script.format(i=i), tmp_path) for i in range(4)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    s = settings(tmp_path / "out")
    assert sorted(Dataset(s, "shared").read("holdings")["tick"]) == sorted(i * 1000 + k for i in range(4) for k in range(25))
    counts = scan_runs("holdings", settings=s).group_by("run_id").len().sort("run_id").collect().rows()
    assert counts == [*((f"own-{i}", 25) for i in range(4)), ("shared", 100)]
    with lochan.DataLake.open(tmp_path / "out") as lake:
        assert lake.verify(deep=True)


def test_threads_share_a_dataset(tmp_path):
    run, failures = Dataset(settings(tmp_path / "out"), "r"), []

    def write(i):
        try:
            for k in range(15):
                run.append("holdings", holdings([i * 100 + k]))
                assert run.read("holdings").height >= k + 1
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == [] and run.read("holdings").height == 90


def test_threads_share_an_appender(tmp_path):
    run = Dataset(settings(tmp_path / "out"), "r")
    with run.appender("holdings", rows=64) as appender:
        threads = [threading.Thread(target=lambda i=i: [appender.append(holdings([i * 100 + k])) for k in range(50)]) for i in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert sorted(run.read("holdings")["tick"]) == [i * 100 + k for i in range(4) for k in range(50)]


def test_the_gil_is_released(tmp_path):
    """Another thread counts while a large append is under way."""
    run = Dataset(settings(tmp_path / "out", tick_bucket_size=10**9), "r")
    frame = holdings(range(2_000_000))
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.0005)

    run.append("holdings", holdings([1]))
    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    run._run_of(run._lake_root().for_writing()).append({}, "holdings", frame)
    during = counted[0] - before
    done.set()
    thread.join()
    assert during > 5


def test_a_fork_is_told(tmp_path):
    done = run_script(HEAD + textwrap.dedent(f"""
        run = Dataset(settings({str(tmp_path / 'out')!r}), "r")
        run.append("holdings", holdings([1]))
        lazy = run.scan("holdings")
        appender = run.appender("holdings")
        appender.append(holdings([2]))
        unused, more = Dataset(run.settings, "r"), holdings([3])  # Polars makes nothing in the child
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for work in (lambda: run.read("holdings"), lambda: run.append("holdings", more), lambda: run.manifest("holdings"),
                             lambda: appender.append(more), lambda: appender.flush(), lambda: appender.close(),
                             lambda: run.rebuild_manifest("holdings")):
                    try:
                        work()
                        print("?", flush=True)
                    except IoError as e:
                        assert "fork" in str(e), str(e)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        appender.close()
        print(run.read("holdings").height, lazy.collect().height, unused.read("holdings").height)
        """))
    assert done.stdout == "2 1 2\n" and done.stderr == ""


def test_processes_by_spawn(tmp_path):
    """A Dataset goes through pickle."""
    (tmp_path / "main.py").write_text(HEAD + textwrap.dedent("""
        import multiprocessing
        def work(run, i):
            run.append("holdings", holdings([i]))
        if __name__ == "__main__":
            run = Dataset(settings("out"), "r")
            run.append("holdings", holdings([0]))
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                pool.starmap(work, [(run, i) for i in range(1, 5)])
            print(sorted(run.read("holdings")["tick"]))
        """))
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[0, 1, 2, 3, 4]\n", done.stderr


def test_ctrl_c_stops_an_append_and_leaves_nothing(tmp_path):
    process = start("""
        run = Dataset(settings("out", tick_bucket_size=10**9), "r")
        run.append("holdings", holdings([1]))
        frame = holdings(range(2_000_000))
        print("ready", flush=True)
        try:
            while True:
                run.append("holdings", frame)
        except KeyboardInterrupt:
            rows = run.read("holdings").height
            assert rows % 2_000_000 == 1, rows
            run.append("holdings", holdings([2]))
            print("stopped", flush=True)
        """, tmp_path)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "stopped\n" and process.returncode == 0, err
    leftovers = [p for p in (tmp_path / "out" / "runs").rglob("*") if p.is_file() and p.name.startswith(".tmp")]
    assert leftovers == []


def test_ctrl_c_flushes_an_appender(tmp_path):
    process = start("""
        run = Dataset(settings("out"), "r")
        try:
            with run.appender("holdings") as appender:
                for i in range(20):
                    appender.append(holdings([i]))
                print("ready", flush=True)
                time.sleep(60)
        except KeyboardInterrupt:
            print(run.read("holdings").height, flush=True)
        """, tmp_path)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "20\n", err


def test_things_are_let_go_in_any_order(tmp_path):
    run = Dataset(settings(tmp_path / "out"), "r")
    run.append("holdings", holdings(range(1000)))
    scan = run.stream("holdings")
    iterator = iter(scan.batches(rows=100))
    first, lazy = next(iterator), run.scan("holdings")
    appender = run.appender("holdings")
    appender.append(holdings([5000]))
    capsule = run.stream("holdings").__arrow_c_stream__()
    del run, scan
    gc.collect()
    assert len(first) + sum(map(len, iterator)) == 1000 and lazy.collect().height == 1000
    assert pa.RecordBatchReader._import_from_c_capsule(capsule).read_all().num_rows == 1000
    del lazy, capsule, iterator
    gc.collect()
    appender.close()
    assert Dataset(settings(tmp_path / "out"), "r").read("holdings").height == 1001


def test_nothing_stays_open(tmp_path):
    def descriptors():
        links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
        return sum(str(tmp_path) in os.readlink(link) for link in links if os.path.islink(link))

    run = Dataset(settings(tmp_path / "out"), "r")
    run.append("holdings", holdings([1]))
    assert descriptors() > 0
    other = Dataset(settings(tmp_path / "out"), "s")
    before = descriptors()
    other.read("holdings")
    assert descriptors() == before  # one lake for both
    del run, other
    gc.collect()
    assert descriptors() == 0


def test_memory_does_not_grow(tmp_path):
    done = run_script(HEAD + textwrap.dedent("""
        import gc, resource
        run = Dataset(settings("out", durability="normal"), "r")
        frame = holdings(range(1000))
        def work(n):
            for _ in range(n):
                run.append("holdings", frame)
                run.read("holdings", limit=10)
                run.manifest("messages")
                try:
                    run.append("holdings", frame.with_columns(x=1))
                except IoSchemaError:
                    pass
            gc.collect()
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        work(20)
        first = work(20)
        print(work(60) - first < 30_000_000)
        """), cwd=tmp_path)
    assert done.stdout == "True\n"


def test_a_replaced_lake_is_opened_again(tmp_path):
    import shutil

    run = Dataset(settings(tmp_path / "out"), "r")
    run.append("holdings", holdings([1]))
    shutil.rmtree(tmp_path / "out")
    assert run.read("holdings").height == 0
    run.append("holdings", holdings([2, 3]))
    assert run.read("holdings").height == 2
    with pytest.raises(IoError):
        Dataset(settings(tmp_path / "out" / "lake.db"), "r").append("holdings", pl.DataFrame({"tick": [1]}))
