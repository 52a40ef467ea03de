"""lake.sources.register: sources written in Python."""
import collections
import datetime
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import lochan
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

DAY = datetime.timedelta(days=1)

PRICES = """
name: prices
source: mine
default_start: 2024-01-01
time_column: day
request_options: {date_chunk_months: 1}
columns: {asset_id: string, time: date, close: float64}
primary_key: [asset_id, time]
"""


def frame(start, end, names=("a", "b")):
    days = [start + i * DAY for i in range((end - start).days + 1)]
    return pl.DataFrame({"asset_id": [n for n in names for _ in days], "day": days * len(names), "close": 1.0})


class Mine:
    """One frame for each scope; notes what it was asked for."""

    name = "mine"

    def __init__(self):
        self.scopes = []

    def fetch(self, scope):
        self.scopes.append(scope)
        return frame(scope.start, scope.end)


@pytest.fixture
def lake(tmp_path):
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add("name: mine\nkind: callback\noptions: {market: north, depth: '3'}\n")
        lake.datasets.add(PRICES)
        yield lake


def update(lake, **options):
    return lake.update.dataset("mine/prices", **{"end": "2024-03-31", "progress": False, "max_retries": 0, **options})


def test_rows_of_an_object(lake):
    mine = Mine()
    lake.sources.register(mine)
    report = update(lake, workers=2, source_options={"options.depth": 5}, retry_backoff_seconds=0.25)
    assert report.rows_new == 2 * 91 and report.scopes == report.requests == len(mine.scopes) == 3
    assert [(s.start, s.end) for s in mine.scopes] == [
        (datetime.date(2024, m, 1), datetime.date(2024, m, d)) for m, d in ((1, 31), (2, 29), (3, 31))]
    scope = mine.scopes[0]
    assert scope.assets == () and scope.parameters == {} and scope.parameter_set is None
    request = scope.request
    assert (request.source, request.dataset, request.source_dataset) == ("mine", "prices", "prices")
    assert request.options == {"market": "north", "depth": "5"} and request.end == datetime.date(2024, 3, 31)
    assert request.workers == 2 and request.max_retries == 0 and request.retry_backoff_seconds == 0.25
    assert not (request.force or request.repair or request.backfill) and request.validate == "spec"
    assert lake.scan("mine/prices").to_arrow().num_rows == 182 and lake.verify(deep=True)
    assert update(lake).nothing_to_do and len(mine.scopes) == 3
    again = lake.update.backfill("mine/prices", start="2024-02-01", end="2024-02-29", force=True, progress=False)
    assert again.rows_unchanged == 58 and mine.scopes[-1].request.force and mine.scopes[-1].request.backfill


@pytest.mark.parametrize("make", [
    lambda f: f, lambda f: f.to_arrow(), lambda f: f.to_arrow().to_batches()[0], lambda f: [f.head(5), f.tail(-5)],
    lambda f: f.to_arrow().to_reader(), lambda f: iter(f.to_arrow().to_batches(max_chunksize=7)),
    lambda f: pd.DataFrame(f.to_dict(as_series=False)).astype({"asset_id": "string"}),
    lambda f: (f.slice(i, 1) for i in range(f.height)), lambda f: f.with_columns(pl.col("asset_id").cast(pl.Categorical))])
def test_rows_of_many_kinds(lake, make):
    lake.sources.register(lambda scope: make(frame(scope.start, scope.end)), name="mine")
    assert update(lake).rows_new == 182
    rows = lake.scan("mine/prices", where="asset_id = 'b' and time = '2024-02-03'").rows()
    assert [(r["close"], r["source"]) for r in rows] == [(1.0, "mine")]


@pytest.mark.parametrize("nothing", [None, [], pl.DataFrame(), frame(datetime.date(2024, 1, 1), datetime.date(2024, 1, 1)).clear()],
                         ids=["none", "empty list", "no columns", "no rows"])
def test_no_rows(lake, nothing):
    lake.sources.register(lambda scope: nothing, name="mine")
    report = update(lake)
    assert report and report.rows_fetched == 0
    assert {row["state"] for row in lake.status.scopes("mine/prices").rows()} == {"empty"}


def test_registering_adds_the_source(tmp_path):
    class Other(Mine):
        name = "other"
        options = {"market": "south", "live": True}

    with lochan.DataLake.init(tmp_path / "lake") as lake:
        mine = Other()
        lake.sources.register(mine)
        lake.datasets.add(PRICES.replace("source: mine", "source: other"))
        lake.update.source("other", end="2024-01-31", progress=False)
        assert mine.scopes[0].request.options == {"market": "south", "live": "true"}
        assert "callback" in lake.sources.get("other") and lake.sources.list().rows()[0]["kind"] == "callback"
    with lochan.DataLake.open(tmp_path / "lake") as lake:  # nothing of it is stored but its name
        with pytest.raises(lochan.ArgumentError, match="register"):
            lake.update.dataset("other/prices", progress=False)
        lake.sources.register(Mine().fetch, name="other")
        assert lake.update.dataset("other/prices", end="2024-02-29", progress=False).rows_new == 58
        lake.sources.unregister("other")
        with pytest.raises(lochan.ArgumentError, match="register"):
            lake.update.dataset("other/prices", progress=False)
        with pytest.raises(lochan.NotFoundError):
            lake.sources.unregister("other")
        for wrong in (Mine().fetch, object(), None, 5):
            with pytest.raises(TypeError, match="fetch"):
                lake.sources.register(wrong)
        lake.sources.add("ecb")
        lake.sources.register(Mine().fetch, name="ecb")  # of no use: the source is of another kind
    with pytest.raises(ValueError, match="closed"):
        lake.sources.register(Mine())


def test_plan(lake):
    asked = []

    class Planned(Mine):
        def plan(self, scope):
            asked.append((scope.start, scope.end))
            half = scope.start + 9 * DAY
            yield scope.start, half
            yield (half + DAY).isoformat(), min(scope.end, half + 5 * DAY)

    mine = Planned()
    lake.sources.register(mine)
    update(lake, end="2024-01-31")
    assert asked == [(datetime.date(2024, 1, 1), datetime.date(2024, 1, 31))]
    assert [(s.start.day, s.end.day) for s in mine.scopes] == [(1, 10), (11, 15)]
    # What it left out stays missing.
    assert [str(g["day_from"]) for g in lake.gaps("mine/prices", end="2024-01-31").rows()] == ["2024-01-16"]

    def windows(given):
        mine.plan = lambda scope: given
        lake.sources.register(mine)

    windows([("2023-01-01", "2023-01-02")])
    with pytest.raises(lochan.Error, match="2023-01-01"):
        update(lake)
    windows([("2024-02-01", "2024-02-10"), ("2024-02-05", "2024-02-12")])
    with pytest.raises(lochan.Error):
        update(lake)
    windows([1, 2])
    with pytest.raises(lochan.Error) as caught:
        update(lake)
    assert isinstance(caught.value.__cause__, TypeError)
    windows([])
    assert update(lake).requests == 0


# --- failures


def test_what_a_source_raises(lake):
    def fetch(scope):
        if scope.start.month == 2:
            raise ValueError("no such field: 'clöse'")
        return frame(scope.start, scope.end)

    lake.sources.register(fetch, name="mine")
    with pytest.raises(lochan.PartialError, match="no such field") as caught:
        update(lake)
    e = caught.value
    assert isinstance(e.__cause__, ValueError) and e.report.scopes_failed == 1 and e.report.rows_new == 2 * 62
    assert "ValueError: no such field: 'clöse'" in lake.status.failures(limit=1).rows()[0]["message"]
    lake.sources.register(Mine())
    assert update(lake).rows_new == 58  # only what failed
    assert lake.update.source("mine", end="2024-03-31", progress=False)[0].nothing_to_do


def test_all_fail_and_many(lake):
    def fetch(scope):
        raise lochan.RateLimitError("enough for today")

    lake.sources.register(fetch, name="mine")
    with pytest.raises(lochan.Error, match="enough for today") as caught:
        update(lake)
    assert isinstance(caught.value.__cause__, lochan.RateLimitError)
    with pytest.raises(lochan.Error) as caught:
        lake.update.all(end="2024-01-31", progress=False, max_retries=0)
    assert isinstance(caught.value.__cause__.__cause__, lochan.RateLimitError)


@pytest.mark.parametrize("error, tries", [(ConnectionResetError("gone"), 3), (TimeoutError("slow"), 3), (KeyError("x"), 1),
                                          (lochan.NetworkError("down"), 3), (lochan.SchemaError("no"), 1), (OSError(5, "io"), 1)])
def test_what_passes_is_tried_again(lake, error, tries):
    calls = collections.Counter()

    def fetch(scope):
        calls["first"] += 1
        raise error

    lake.sources.register(fetch, name="mine")
    with pytest.raises(lochan.Error):
        update(lake, end="2024-01-31", max_retries=2, retry_backoff_seconds=0)
    assert calls["first"] == tries

    def later(scope):
        calls["later"] += 1
        yield frame(scope.start, scope.start)
        if calls["later"] < tries:
            raise error
        yield frame(scope.start + DAY, scope.end)

    lake.sources.register(later, name="mine")
    if tries > 1:  # also in the middle; nothing lands twice
        report = update(lake, end="2024-01-31", max_retries=2, retry_backoff_seconds=0)
        assert report.rows_new == report.rows_fetched == 62 and report.retries == 2


@pytest.mark.parametrize("second", [
    pl.DataFrame({"asset_id": ["x"], "day": [datetime.date(2024, 1, 5)], "close": ["text"]}),
    pl.DataFrame({"asset_id": ["x"], "day": [datetime.date(2024, 1, 5)]}),
    pl.DataFrame({"asset_id": ["x"], "day": [datetime.date(2024, 1, 5)], "last": [1.0]}), "text", 5])
def test_what_is_yielded_must_be_alike(lake, second):
    def fetch(scope):
        yield frame(scope.start, scope.start)
        yield second

    lake.sources.register(fetch, name="mine")
    with pytest.raises(lochan.Error, match="number 2 of what was yielded|__arrow_c_stream__"):
        update(lake, end="2024-01-31")
    assert lake.status.summary().rows()[0]["rows"] == 0


@pytest.mark.parametrize("wrong", [
    pl.DataFrame({"asset_id": ["x"], "day": [datetime.date(2024, 1, 5)], "close": ["text"]}),
    pl.DataFrame({"day": [datetime.date(2024, 1, 5)], "close": [1.0]}),
    pa.table({"asset_id": ["x", None], "day": pa.array([19727, 19728], pa.date32()), "close": [1.0, 2.0]}),
    pa.table([pa.array(["x"]), pa.array(["y"])], names=["asset_id", "asset_id"]), 7])
def test_rows_that_do_not_fit(lake, wrong):
    lake.sources.register(lambda scope: wrong, name="mine")
    with pytest.raises(lochan.Error) as caught:
        update(lake, end="2024-01-31")
    assert caught.value.message and lake.verify(deep=True)
    assert lake.status.summary().rows()[0]["rows"] == 0


def test_it_may_use_the_lake(lake):
    seen = []

    def fetch(scope):
        seen.append((len(lake.status.runs()), lake.verify().problems, lake.sources.list().rows()[0]["name"]))
        return frame(scope.start, scope.end)

    lake.sources.register(fetch, name="mine")
    assert update(lake).rows_new == 182 and seen[0][1:] == (0, "mine")


def test_in_parallel(lake):
    together, most, lock = 0, 0, threading.Lock()

    class Parallel(Mine):
        parallel = True

        def fetch(self, scope):
            nonlocal together, most
            with lock:
                together += 1
                most = max(most, together)
            for _ in range(100):
                time.sleep(0.01)
                if most > 1:
                    break
            with lock:
                together -= 1
            yield frame(scope.start, scope.end)

    lake.sources.register(Parallel())
    seen = []
    assert update(lake, workers=3, progress=seen.append).rows_new == 182 and most > 1
    assert seen[-1].stage == "done" and seen[-1].rows == 182
    most = 0
    lake.sources.register(Mine())
    assert update(lake, force=True, workers=3).rows_unchanged == 182 and most == 0


# --- stopping


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("when", ["before", "between", "plan"])
def test_what_ends_a_program_ends_the_update(lake, stop, when):
    class Stopping(Mine):
        def fetch(self, scope):
            if when == "before" and scope.start.month == 2:
                raise stop()
            yield frame(scope.start, scope.start)
            if when == "between" and scope.start.month == 2:
                raise stop()
            yield frame(scope.start + DAY, scope.end)

    mine = Stopping()
    if when == "plan":
        def plan(scope):
            raise stop()

        mine.plan = plan
    lake.sources.register(mine)
    with pytest.raises(stop):
        update(lake)
    assert lake.status.summary().rows()[0]["rows"] == 0
    lake.sources.register(Mine())
    report = update(lake)
    assert report.rows_new == 182


def test_ctrl_c(tmp_path):
    script = """
        import sys
        sys.path.insert(0, {folder!r})
        from test_lake_callback import *
        lake = lochan.DataLake.init({lake!r})
        lake.sources.add("name: mine\\nkind: callback\\n")
        lake.datasets.add(PRICES)

        def fetch(scope):
            print("fetching", flush=True)
            time.sleep(60)

        lake.sources.register(fetch, name="mine")
        try:
            lake.update.dataset("mine/prices", end="2024-03-31")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        lake.sources.register(Mine())
        print(lake.update.dataset("mine/prices", end="2024-03-31").rows_new)
    """
    command = [sys.executable, "-c", textwrap.dedent(script.format(folder=os.path.dirname(__file__), lake=str(tmp_path / "lake")))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "fetching\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert out == "interrupted\n182\n" and child.returncode == 0, err


# --- life


def test_nothing_is_kept_after_close(tmp_path):
    class Held(Mine):
        pass

    mine = Held()
    gone = weakref.ref(mine)
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.register(mine)
        lake.sources.register(mine)
        del mine
        gc.collect()
        assert gone() is not None
        lake.sources.register(Mine())
        gc.collect()
        assert gone() is None


def test_a_generator_is_ended(lake):
    ended = []

    def fetch(scope):
        try:
            yield frame(scope.start, scope.start)
            yield pl.DataFrame({"other": [1]})
        finally:
            ended.append(scope.start.month)

    lake.sources.register(fetch, name="mine")
    with pytest.raises(lochan.Error):
        update(lake)
    gc.collect()
    assert ended == [1, 2, 3]


def test_resume_after_a_kill(tmp_path):
    """What was given whole is not asked for again."""
    script = """
        import os, sys
        sys.path.insert(0, {folder!r})
        from test_lake_callback import *
        lake = lochan.DataLake.open({lake!r})

        def fetch(scope):
            if scope.start.month == 3:
                os._exit(7)
            return frame(scope.start, scope.end)

        lake.sources.register(fetch, name="mine")
        lake.update.dataset("mine/prices", end="2024-03-31", progress=False)
    """
    path = tmp_path / "lake"
    with lochan.DataLake.init(path) as lake:
        lake.sources.add("name: mine\nkind: callback\n")
        lake.datasets.add(PRICES)
    command = [sys.executable, "-c", textwrap.dedent(script.format(folder=os.path.dirname(__file__), lake=str(path)))]
    assert subprocess.run(command, timeout=60, check=False).returncode == 7
    mine = Mine()
    with lochan.DataLake.open(path) as lake:
        lake.sources.register(mine)
        report = update(lake)
        assert report.rows_new == 182 and [s.start.month for s in mine.scopes] == [3] and report.pages_resumed == 2
