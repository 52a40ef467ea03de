"""lochan.DataLake among threads, signals, forks and other processes; memory."""
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import lochan
import polars as pl
import pyarrow as pa
import pytest
from lake_data import ECB, ROOT, add_typed, make_ecb_lake, run, typed_rows, write_csv

ECB_ROWS = 221_702
FOLDER = str(ROOT / "tests" / "python")


@pytest.fixture(scope="module")
def ecb(tmp_path_factory):
    return make_ecb_lake(tmp_path_factory.mktemp("ecb") / "lake")


# --- closing


def test_closing_in_any_order(ecb):
    lake = lochan.DataLake.open(ecb)
    scan = lake.scan("ecb/fx_daily")
    iterator = iter(scan.batches(rows=1000))
    first = next(iterator)
    capsule = lake.scan("ecb/fx_daily").__arrow_c_stream__()
    table = lake.status.summary()
    lake.close()
    lake.close()
    with pytest.raises(ValueError, match="closed"):
        scan.to_arrow()
    with pytest.raises(ValueError, match="closed"):
        lake.status.summary()
    assert "closed" in repr(lake) and "closed" in lake._repr_html_()
    del lake, scan
    gc.collect()
    assert len(first) + sum(map(len, iterator)) == ECB_ROWS
    assert pa.RecordBatchReader._import_from_c_capsule(capsule).read_all().num_rows == ECB_ROWS
    del first, iterator, capsule
    gc.collect()
    assert table.rows()[0]["rows"] == ECB_ROWS


def test_a_scan_keeps_no_lake_open(ecb):
    """Descriptors tell: once lake and readings are gone, the catalog is closed, though the Scan is still there."""
    def descriptors():
        paths = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
        return sum(str(ecb) in os.readlink(path) for path in paths if os.path.islink(path))

    before = descriptors()
    lake = lochan.DataLake.open(ecb)
    scan = lake.scan("ecb/fx_daily")
    lazy = scan.lazy()
    assert scan.to_polars().height == lazy.collect().height == ECB_ROWS
    pa.schema(scan), scan._repr_html_(), scan.rows
    assert descriptors() > before
    lake.close()
    assert descriptors() == before and scan.stats.rows_returned == ECB_ROWS


def test_closing_while_others_work(ecb):
    failures = []

    def work(lake, began):
        try:
            for _ in range(20):
                scan = lake.scan("ecb/fx_daily")
                began.set()
                assert scan.to_arrow().num_rows == ECB_ROWS
        except ValueError as e:
            if "closed" not in str(e):
                failures.append(e)
        except BaseException as e:
            failures.append(e)

    for _ in range(3):
        lake, began = lochan.DataLake.open(ecb, threads=2), threading.Event()
        threads = [threading.Thread(target=work, args=(lake, began)) for _ in range(3)]
        for t in threads:
            t.start()
        began.wait(30)
        lake.close()
        for t in threads:
            t.join()
    assert failures == []


# --- threads


def test_readers_while_an_update_runs(tmp_path):
    rows = typed_rows(days=200, assets=3)
    write_csv(tmp_path / "typed.csv", rows)
    seen, failures, done = set(), [], threading.Event()
    with lochan.Feed(tmp_path / "typed.csv", latency_ms=5) as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        lake.update.dataset("typed", source="shop", end="2024-01-31", progress=False)

        def read():
            try:
                while not done.is_set():
                    seen.add(lake.scan("shop/typed").to_polars().height)
                    lake.status.summary().rows(), lake.status.runs().rows(), lake.verify()
            except BaseException as e:
                failures.append(e)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for t in threads:
            t.start()
        for end in ("2024-02-29", "2024-03-31", "2024-06-30", "2024-12-31"):
            lake.update.dataset("typed", source="shop", end=end, progress=False)
        done.set()
        for t in threads:
            t.join()
        assert failures == [] and seen <= {93, 180, 273, 546, 600} and len(lake.status.runs()) == 5
        assert lake.scan("shop/typed").to_polars().height == 600 and lake.verify(deep=True)


def test_the_gil_is_released_during_an_update(tmp_path):
    """Another thread runs Python code while an update waits for its provider."""
    write_csv(tmp_path / "typed.csv", typed_rows(days=3, assets=1))
    with lochan.Feed(tmp_path / "typed.csv", latency_ms=300) as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        counted, done = [0], threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1
                time.sleep(0.001)

        thread = threading.Thread(target=count)
        thread.start()
        lake.update.dataset("typed", source="shop", end="2024-01-03", progress=False)
        done.set()
        thread.join()
    assert counted[0] > 20


def test_a_second_update_is_told_who_holds_it(tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=3, assets=1))
    with lochan.Feed(tmp_path / "typed.csv", latency_ms=800) as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        began = threading.Event()
        options = {"source": "shop", "end": "2024-01-03"}
        thread = threading.Thread(target=lake.update.dataset, args=("typed",), kwargs={**options, "progress": lambda p: p.stage == "fetch" and began.set()})
        thread.start()
        began.wait(30)
        with lochan.DataLake.open(tmp_path / "lake", lock_timeout=0.05) as second, pytest.raises(lochan.LockedError) as caught:
            second.update.dataset("typed", **options, progress=False)
        assert caught.value.retryable and caught.value.report is None
        thread.join()
        assert lake.status.summary().rows()[0]["rows"] == 3


def test_cancel_from_another_thread(tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=3, assets=1))
    with lochan.Feed(tmp_path / "typed.csv", faults="hang") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        timer = threading.Timer(0.3, lake.cancel)
        timer.start()
        with pytest.raises(lochan.CancelledError) as caught:
            lake.update.dataset("typed", source="shop", end="2024-01-03", progress=False)
        assert caught.value.report.status == "CANCELLED" and caught.value.exit_code == 130
        timer.join()
        lake.resume()
        assert lake.verify() and len(lake.status.files()) == 0


# --- Ctrl-C


INTERRUPTED = """
    import sys, threading, time, os, signal
    sys.path.insert(0, {folder!r})
    import lochan
    from lake_data import *
    write_csv("typed.csv", typed_rows(days=100, assets=3))
    lake = lochan.DataLake.init("lake")
    slow, good = lochan.Feed("typed.csv", {faults}), lochan.Feed("typed.csv")
    add_typed(lake, slow)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    try:
        {work}
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted" if time.monotonic() - start < 10 else "late")
    assert len(lake.status.files()) == 0 and lake.verify(deep=True)
    lake.sources.configure("shop", url=good.url)
    print(lake.update.dataset("typed", source="shop", end="2024-12-31", progress=False).rows_new)
"""


@pytest.mark.parametrize("progress", ["False", "lambda p: None", "None"])
def test_ctrl_c_stops_an_update(tmp_path, progress):
    done = run(INTERRUPTED.format(folder=FOLDER, faults='faults="hang"', work=f"lake.update.dataset('typed', source='shop', "
                                  f"end='2024-12-31', progress={progress})"), cwd=tmp_path)
    assert done.stdout == "interrupted\n300\n" and done.stderr == ""


def test_ctrl_c_stops_several_updates(tmp_path):
    done = run(INTERRUPTED.format(folder=FOLDER, faults='faults="hang"', work="lake.update.datasets(['typed'] * 5, source='shop')"),
               cwd=tmp_path)
    assert done.stdout == "interrupted\n300\n"


@pytest.mark.parametrize("work", [".to_arrow()", ".to_polars()", ".rows()", ".lazy()", ".to_table()"])
def test_ctrl_c_stops_a_scan_and_leaves_the_lake_usable(ecb, work):
    done = run(f"""
        import lochan, os, signal, threading, time
        lake = lochan.DataLake.open({str(ecb)!r})
        lake.scan("ecb/fx_daily", limit=5){work}
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        try:
            while time.monotonic() < start + 20:
                lake.scan("ecb/fx_daily"){work}
        except KeyboardInterrupt:
            print("interrupted")
        print(lake.scan("ecb/fx_daily").to_arrow().num_rows)""")
    assert done.stdout == f"interrupted\n{ECB_ROWS}\n"


# --- fork


def test_fork_is_refused_by_name(ecb):
    run(f"""
        import lochan, os, pyarrow as pa, time, warnings
        warnings.simplefilter("ignore")
        feed = lochan.Feed({str(ECB)!r})
        lake = lochan.DataLake.open({str(ecb)!r}, threads=2)
        scan = lake.scan("ecb/fx_daily")
        iterator, stream = iter(scan), pa.RecordBatchReader.from_stream(scan)
        next(iterator)
        reading = lake._lake.scan("ecb", "fx_daily")
        pa.table(scan)   # whatever that imports: loading modules is not safe after fork
        time.sleep(0.2)  # and our threads are at rest
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for f in (lambda: next(iterator), lambda: scan.to_arrow(), lambda: lake.status.summary(), lambda: lake.verify(),
                          lambda: lake.update.dataset("ecb/fx_daily"), lambda: lake.sources.add("ecb"), lambda: lake.sql(),
                          lambda: lake.cancel(), lambda: iter(reading), lambda: lake.scan("ecb/fx_daily"),
                          lambda: lake.commit_status("x")):
                    try:
                        f()
                        os._exit(2)
                    except lochan.UnsupportedError as e:
                        assert "fork" in e.message
                try:
                    stream.read_all()
                    os._exit(3)
                except NotImplementedError as e:
                    assert "fork" in str(e)
                repr(lake)
                with lochan.DataLake.open({str(ecb)!r}, threads=2) as own:
                    assert own.scan("ecb/fx_daily").to_arrow().num_rows == {ECB_ROWS}
                lake.close()
                feed.stop()
                del lake, scan, iterator, stream, feed, reading
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert scan.to_arrow().num_rows == {ECB_ROWS} and stream.read_all().num_rows == {ECB_ROWS}
        import urllib.request
        assert urllib.request.urlopen(feed.url).read()
    """)


# --- the end of the process


def test_nothing_need_be_closed(ecb):
    done = run(f"""
        import lochan, sys
        lake = lochan.DataLake.open({str(ecb)!r})
        feed = lochan.Feed({str(ECB)!r})
        scan = lake.scan("ecb/fx_daily")
        iterator = iter(scan)
        next(iterator)
        sys.keep = (lake, feed, scan, iterator, scan.__arrow_c_stream__())
        print("end")""")
    assert done.stdout == "end\n" and done.stderr == ""


def test_killed_in_an_update(tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=100, assets=3))
    with lochan.Feed(tmp_path / "typed.csv", latency_ms=150) as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        script = "import lochan\nlake = lochan.DataLake.open('lake')\nprint('begun', flush=True)\n" \
                 "lake.update.dataset('typed', source='shop', end='2024-12-31', workers=1)"
        process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lake.verify(deep=True) and len(lake.status.files()) == 0
        report = lake.update.dataset("typed", source="shop", end="2024-12-31", progress=False)
        assert report.rows_new == 300 and report.pages == 12


# --- memory


def test_nothing_leaks(ecb, tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=5, assets=2))

    def resident():
        with open("/proc/self/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def once(lake, feed):
        scan = lake.scan("ecb/fx_daily", limit=500)
        scan.to_arrow(), scan.rows(), scan.stats, pa.schema(scan), list(scan), scan._repr_html_(), repr(scan)
        scan.lazy().filter(pl.col("asset_id") == "USD").collect(), scan.__arrow_c_stream__(), iter(scan)
        lake.status.summary().rows(), lake.status.runs().to_arrow(), lake.sources.list(), lake.datasets.list(), repr(lake)
        lake.sources.bundled(), lake.sql(), lake.verify(), lake.commit_status("x"), lake.sources.get("ecb"), feed.stats
        for wrong in ({"columns": ["no"]}, {"where": "no = 1"}):
            with pytest.raises(lochan.Error):
                lake.scan("ecb/fx_daily", **wrong)
        with pytest.raises(lochan.Error):
            lake.sources.add("none")
        own.update.dataset("typed", source="shop", end="2024-01-05", force=True, progress=lambda p: None)

    with lochan.DataLake.open(ecb) as lake, lochan.Feed(tmp_path / "typed.csv") as feed, \
            lochan.DataLake.init(tmp_path / "own") as own:
        add_typed(own, feed)
        for _ in range(20):
            once(lake, feed)
        gc.collect()
        before = resident()
        for _ in range(60):
            once(lake, feed)
        gc.collect()
        assert resident() - before < 8 << 20


def test_memory_limit_holds(ecb):
    done = run(f"""
        import lochan, resource
        lake = lochan.DataLake.open({str(ecb)!r}, threads=2, memory_limit=16 << 20)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = sum(len(b) for b in lake.scan("ecb/fx_daily").batches(rows=5000))
        print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)""")
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == ECB_ROWS and kilobytes < 48 << 10, kilobytes
