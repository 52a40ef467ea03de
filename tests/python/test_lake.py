"""lochan.DataLake: open, sources, datasets, update, status, verify, and what goes wrong with them."""
import datetime
import json
import pathlib
import pickle
import shutil
import subprocess

import lochan
import pyarrow as pa
import pytest
from lake_data import ECB, SOURCE, TYPED, add_typed, make_ecb_lake, typed_rows, write_csv

ECB_ROWS = 221_702


@pytest.fixture(scope="module")
def ecb(tmp_path_factory):
    return make_ecb_lake(tmp_path_factory.mktemp("ecb") / "lake")


@pytest.fixture
def shop(tmp_path):
    """(an empty lake with a source and a dataset, their feed, the rows it serves)"""
    rows = typed_rows(days=70, assets=3)
    write_csv(tmp_path / "typed.csv", rows)
    with lochan.Feed(tmp_path / "typed.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        yield lake, feed, rows


# --- open and init


def test_open_and_init(tmp_path):
    path = tmp_path / "lake"
    with pytest.raises(lochan.NotFoundError, match="init"):
        lochan.DataLake.open(path)
    with lochan.DataLake.open(path, create=True) as lake:
        assert lake.path == str(path) and not lake.read_only and not lake.closed
    assert lake.closed
    with pytest.raises(ValueError, match="closed"):
        lake.sql()
    with pytest.raises(FileExistsError):
        lochan.DataLake.init(path)
    with lochan.DataLake.open(str(path) + "/", create=True, threads=2, memory_limit=64 << 20, lock_timeout=5) as lake:
        assert lake.path == str(path) and len(lake.datasets.list()) == 0
    with lochan.DataLake.open(bytes(path), read_only=True) as lake:
        assert lake.read_only and "read-only" in repr(lake)
        with pytest.raises(PermissionError) as caught:
            lake.sources.add("ecb")
        assert caught.value.name == "READ_ONLY" and caught.value.exit_code == 5
    with lochan.DataLake.init(tmp_path / "other" / "..") as lake:
        assert (tmp_path / "lake.db").exists() and lake.verify()


@pytest.mark.parametrize("options", [{"threads": -1}, {"threads": 2**40}, {"memory_limit": -1}, {"memory_limit": "1 GB"},
                                     {"create": True, "read_only": True}])
def test_wrong_options_of_open(tmp_path, options):
    with pytest.raises((lochan.ArgumentError, TypeError, OverflowError)):
        lochan.DataLake.open(tmp_path / "none", **options)
    assert not (tmp_path / "none" / "lake.db").exists() or options == {}


# --- sources and datasets


def test_sources(tmp_path):
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        assert {"kind": "source", "name": "ecb"} in lake.sources.bundled().rows()
        lake.sources.add("ecb")
        with pytest.raises(lochan.ExistsError):
            lake.sources.add("ecb")
        with pytest.raises(lochan.NotFoundError, match="ecb"):
            lake.sources.add("ecbb")
        with pytest.raises(lochan.ArgumentError):
            lake.sources.add("ecb", replace=True)
        spec = tmp_path / "shop.yaml"
        spec.write_text(SOURCE.format(name="shop", url="http://127.0.0.1:1"))
        lake.sources.add(spec)
        lake.sources.add(str(spec), replace=True)
        lake.sources.add(SOURCE.format(name="text", url="http://127.0.0.1:2"))
        assert [(s["name"], s["bundled"], s["datasets"]) for s in lake.sources.list().rows()] == [
            ("ecb", True, 0), ("shop", False, 0), ("text", False, 0)]
        lake.sources.configure("shop", {"csv.delimiter": ";"}, url="http://127.0.0.1:3", workers=8, secret="env:TOKEN")
        text = lake.sources.get("shop")
        assert "http://127.0.0.1:3" in text and "env:TOKEN" in text and '";"' in text.replace("'", '"')
        lake.sources.configure("shop", url=None)
        assert "http://127.0.0.1:1" in lake.sources.get("shop")
        for wrong in ({"workers": "many"}, {"no_such_field": 1}, {"url": "ftp://x"}):
            with pytest.raises((lochan.SpecError, lochan.ArgumentError, lochan.NotFoundError)):
                lake.sources.configure("shop", **wrong)
        with pytest.raises(lochan.NotFoundError):
            lake.sources.get("nobody")
        with pytest.raises(FileNotFoundError):
            lake.sources.add("none.yaml")
        assert "shop" in repr(lake.sources) and "<table>" in lake.sources._repr_html_()


def test_datasets(tmp_path):
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add("ecb")
        assert lake.datasets.add("ecb") >= 1 and lake.datasets.add("ecb") == 0
        with pytest.raises(FileExistsError):
            lake.datasets.add("ecb/fx_daily")
        lake.sources.add(SOURCE.format(name="shop", url="http://127.0.0.1:1"))
        path = tmp_path / "typed.yml"
        path.write_text(TYPED)
        lake.datasets.add_from_yaml(path)
        lake.datasets.add_from_yaml(TYPED, replace=True)
        assert lake.datasets.add(str(path), replace=True) == 1
        with pytest.raises(lochan.ExistsError):
            lake.datasets.add(TYPED)
        listed = {row["dataset"]: row for row in lake.datasets.list().rows()}
        assert listed["typed"]["key"] == "asset_id, time" and listed["typed"]["enabled"] is True
        assert listed["fx_daily"]["source"] == "ecb" and "fx_daily" in repr(lake.datasets)
        assert lake.datasets.get("shop/typed") == lake.datasets.get("typed", source="shop") == lake.datasets.get("shop.typed")
        with pytest.raises(lochan.ArgumentError, match="source="):
            lake.datasets.get("typed")


def test_errors_of_specs_say_where(tmp_path):
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add(SOURCE.format(name="shop", url="http://127.0.0.1:1"))
        with pytest.raises(lochan.SpecError) as caught:
            lake.datasets.add_from_yaml(TYPED.replace("primary_key", "primry_key"))
        e = caught.value
        assert e.line == TYPED.split("\n").index("primary_key: [asset_id, time]") + 1 and e.line_column == 1
        assert "primary_key" in str(e) and isinstance(e, ValueError) and e.exit_code == 2
        path = tmp_path / "bad.yaml"
        path.write_bytes(b"name: \xff\n")
        with pytest.raises(lochan.SpecError) as caught:
            lake.datasets.add_from_yaml(path)
        assert caught.value.file.endswith("bad.yaml")
        path.write_bytes(b"#" * (2 << 20))
        with pytest.raises(lochan.SpecError, match="MB|bytes|large"):
            lake.sources.add(path)


# --- update


def test_update_and_status(ecb):
    with lochan.DataLake.open(ecb) as lake:
        status, = lake.status.dataset("fx_daily", source="ecb").rows()
        assert status["rows"] == ECB_ROWS and status["files"] == 2 and status["last_state"] == "success"
        assert (status["time_min"], status["time_max"]) == ("1999-01-04", "2026-10-30") or \
            (status["time_min"], status["time_max"]) == (datetime.date(1999, 1, 4), datetime.date(2026, 10, 30))
        assert str(status["covered_to"]) == "2026-10-30"
        assert lake.status.summary().rows() == lake.status.summary("ecb").rows() == [status]
        runs = lake.status.runs(limit=20).rows()
        assert [r["kind"] for r in runs] == ["update", "backfill"] and runs[1]["requests"] == 27
        assert runs[0]["rows_new"] + runs[1]["rows_new"] == ECB_ROWS
        assert len(lake.status.runs(limit=1)) == 1 and len(lake.status.runs(name="fx_daily", source="ecb")) == 2
        assert runs[0]["started_at"].tzinfo is datetime.timezone.utc
        files = lake.status.files("fx_daily", source="ecb").rows()
        assert sum(f["rows"] for f in files) == ECB_ROWS and all((ecb / f["path"]).is_file() for f in files)
        assert lake.status.files().rows() == lake.status.files(source="ecb").rows() == files
        assert "fx_daily" in repr(lake.status) and "221,702" in repr(lake)
        with pytest.raises(lochan.NotFoundError):
            lake.status.dataset("nothing", source="ecb")
        assert lake.status.runs(limit=0).rows() == []


def test_report(shop):
    lake, feed, rows = shop
    report = lake.update.backfill("typed", "shop", datetime.date(2024, 1, 1), "2024-01-31", workers=2, batch_size=0)
    assert report and report.kind == "backfill" and report.status == "OK" and report.error is None
    assert report.rows_fetched == report.rows_new == 93 and report.snapshot_id >= 1 and report.scopes == report.pages == 1
    assert report.bytes_fetched > 0 and report.files_written == 1 and report.requests == 1
    stages = [getattr(report, f"{s}_seconds") for s in ("plan", "fetch", "normalise", "write", "publish")]
    assert all(s >= 0 for s in stages) and report.seconds > 0 and len(report.update_id) == 36
    with pytest.raises(AttributeError):
        report.rows_new = 1
    assert pickle.loads(pickle.dumps(report)) == report
    again = lake.update.dataset("typed", source="shop", start="2024-01-01", end="2024-01-31")
    assert again.nothing_to_do and again.requests == 0 and again.snapshot_id == -1
    forced = lake.update.dataset("shop/typed", start="2024-01-01", end="2024-01-31", force=True)
    assert forced.rows_unchanged == 93 and forced.rows_new == 0 and forced.files_written == 0 and not forced.nothing_to_do
    planned = lake.update.dataset("shop/typed", end=datetime.date(2024, 3, 31), dry_run=True)
    assert planned.dry_run and planned.scopes == 2 and planned.requests == 0 and len(lake.status.runs()) == 2
    assert lake.scan("shop/typed").to_arrow().num_rows == 93


def test_datasets_and_source(shop):
    lake, feed, rows = shop
    lake.datasets.add_from_yaml(TYPED.replace("name: typed", "name: other\nsource_dataset: typed"))
    reports = lake.update.datasets(["typed", "shop/other"][:1] + ["other"], source="shop", end="2024-03-31")
    assert [(r.dataset, r.rows_new) for r in reports] == [("typed", 210), ("other", 210)]
    reports = lake.update.source("shop", end="2024-03-31")
    assert sorted(r.dataset for r in reports) == ["other", "typed"] and all(r.nothing_to_do for r in reports)
    with pytest.raises(lochan.NotFoundError):
        lake.update.source("nobody")
    with pytest.raises(TypeError, match="dataset\\('typed'\\)"):
        lake.update.datasets("typed", source="shop")
    # One that fails does not keep the others from being updated.
    lake.datasets.add_from_yaml(TYPED.replace("name: typed", "name: gone"))
    with pytest.raises(lochan.PartialError, match="1 of 2 datasets") as caught:
        lake.update.datasets(["gone", "typed"], source="shop", end="2024-03-31", force=True)
    assert [(r.dataset, bool(r)) for r in caught.value.reports] == [("gone", False), ("typed", True)]
    first = caught.value.__cause__
    assert first.report == caught.value.reports[0] and "404" in first.report.error and caught.value.report is None
    # A name that is none fails before anything is asked.
    requests = feed.stats.requests
    with pytest.raises(lochan.NotFoundError, match="none"):
        lake.update.datasets(["none", "typed"], source="shop", end="2024-03-31", force=True)
    assert feed.stats.requests == requests and lake.update.datasets([]) == []


def test_many_at_once(shop):
    lake, feed, rows = shop
    names = [f"d{i}" for i in range(6)]
    for name in names:
        lake.datasets.add_from_yaml(TYPED.replace("name: typed", f"name: {name}\nsource_dataset: typed"))
    seen = []
    reports = lake.update.datasets(names[::-1], source="shop", end="2024-03-31", parallel=3, progress=seen.append)
    assert [r.dataset for r in reports] == names[::-1] and all(r.rows_new == 210 for r in reports)
    assert {p.dataset for p in seen} == set(names) and {p.source for p in seen} == {"shop"}
    assert {p.dataset for p in seen if p.stage == "done"} == set(names)
    lake.datasets.disable("shop/d0")
    assert [r.dataset for r in lake.update.all(end="2024-03-31")] == [*names[1:], "typed"]
    with pytest.raises(lochan.ArgumentError, match="parallel"):
        lake.update.all(parallel=33)
    with pytest.raises(TypeError):
        lake.update.all(no_such_option=1)


def test_many_stop_when_told(shop):
    lake, feed, rows = shop
    for name in ("a", "b", "c"):
        lake.datasets.add_from_yaml(TYPED.replace("name: typed", f"name: {name}"))  # the feed has none of them
    with pytest.raises(lochan.Error) as caught:
        lake.update.datasets(["a", "b", "c"], source="shop", end="2024-01-31", parallel=1, stop_on_failure=True, max_retries=0)
    assert len(caught.value.reports) == 1

    def stop(progress):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        lake.update.source("shop", end="2024-01-31", progress=stop, parallel=2)
    assert lake.update.dataset("shop/typed", end="2024-01-31").rows_new == 93


def test_partial(tmp_path, shop):
    lake, _, rows = shop
    bad = [dict(row, i="none" if row["day"].startswith("2024-02") else row["i"]) for row in rows]
    (tmp_path / "bad").mkdir()
    write_csv(tmp_path / "bad" / "typed.csv", bad)
    with lochan.Feed(tmp_path / "bad") as feed:
        lake.sources.configure("shop", url=feed.url)
        with pytest.raises(lochan.PartialError, match="'none'") as caught:
            lake.update.dataset("typed", source="shop", end="2024-03-31", max_retries=0, retry_backoff_seconds=0)
        assert feed.stats.requests == 3
    e = caught.value
    assert e.exit_code == 10 and e.retryable and e.name == "PARTIAL"
    assert e.report.status == "PARTIAL" and e.report.scopes_failed == 1 and e.report.rows_new == 210 - 29 * 3
    assert e.report.error == e.message and "1 of 3 scopes" in repr(e.report)
    again = pickle.loads(pickle.dumps(e))
    assert again.report == e.report and lake.status.dataset("shop/typed").rows()[0]["failed_scopes"] == 1


def test_repair_asks_for_what_failed(tmp_path, shop):
    lake, good, rows = shop
    with lochan.Feed(tmp_path / "typed.csv", faults="http500:0.5", seed=3) as feed:
        lake.sources.configure("shop", url=feed.url)
        with pytest.raises(lochan.Error) as caught:
            lake.update.dataset("typed", source="shop", end="2024-03-31", max_retries=0)
        failed = caught.value.report.scopes_failed
        assert 0 < failed <= 3 and feed.stats.faults == failed
    lake.sources.configure("shop", url=good.url)
    report = lake.update.dataset("typed", source="shop", end="2024-03-31", repair=True)
    assert report.requests == failed and lake.status.summary().rows()[0]["rows"] == 210


def test_source_options_for_one_call(shop):
    lake, feed, rows = shop
    lake.sources.configure("shop", url="http://127.0.0.1:1")
    with pytest.raises(lochan.Error) as caught:
        lake.update.dataset("typed", source="shop", end="2024-01-31", max_retries=0)
    assert caught.value.report.status in ("PARTIAL", "NETWORK") and caught.value.report.rows_new == 0
    report = lake.update.dataset("typed", source="shop", end="2024-01-31",
                                 source_options={"url": feed.url, "workers": 2})
    assert report.rows_new == 93 and "127.0.0.1:1\n" in lake.sources.get("shop") + "\n"


def test_tokens(shop):
    lake, feed, rows = shop
    unknown = lake.commit_status("first")
    assert not unknown and unknown.done is False and unknown.snapshot_id == -1
    report = lake.update.dataset("typed", source="shop", end="2024-01-31", token="first")
    status = lake.commit_status("first")
    assert status and status.snapshot_id == report.snapshot_id
    lake.update.dataset("typed", source="shop", end="2024-01-31", token="first", force=True)
    assert lake.commit_status("first").snapshot_id == report.snapshot_id


@pytest.mark.parametrize("arguments, error", [
    ({"start": "2024-13-01"}, lochan.ArgumentError), ({"start": "2024-02-01", "end": "2024-01-01"}, lochan.ArgumentError),
    ({"start": 20240101}, (TypeError, AttributeError)), ({"assets": ["A000"]}, lochan.Error), ({"assets": "A000"}, TypeError),
    ({"assets": [1]}, TypeError), ({"workers": -1}, lochan.ArgumentError), ({"max_retries": "a"}, TypeError),
    ({"source_options": {"nothing": 1}}, lochan.Error), ({"force": True, "repair": True}, lochan.ArgumentError),
    ({"end": datetime.datetime(2024, 1, 1, 12)}, lochan.ArgumentError), ({"token": 5}, TypeError), ({"workers": 2**40}, OverflowError)])
def test_wrong_requests(shop, arguments, error):
    lake, feed, _ = shop
    with pytest.raises(error):
        lake.update.dataset("typed", source="shop", **{"end": "2024-01-31", **arguments})
    assert feed.stats.requests == 0 and lake.status.runs().rows() == []


def test_backfill_needs_both_ends(shop):
    lake, feed, _ = shop
    with pytest.raises(lochan.ArgumentError, match="start and end|start"):
        lake.update.backfill("typed", "shop", end="2024-01-31")
    assert feed.stats.requests == 0


# --- progress


def test_progress_callback(shop):
    lake, feed, _ = shop
    seen = []
    lake.update.dataset("typed", source="shop", end="2024-03-31", progress=seen.append)
    assert seen[0].stage == "plan" and seen[-1].stage == "done" and {p.source for p in seen} == {"shop"}
    last = seen[-1]
    assert last.pages_done == last.pages_total == 3 and last.rows == 210 and last.dataset == "typed" and last.bytes > 0
    assert [p.pages_done for p in seen] == sorted(p.pages_done for p in seen)


def test_a_callback_may_use_the_lake(shop):
    lake, feed, _ = shop
    seen = []

    def look(progress):
        seen.append((len(lake.status.files()), lake.sources.list().rows()[0]["name"], lake.verify().problems))

    lake.update.dataset("typed", source="shop", end="2024-03-31", progress=look)
    assert seen[0] == (0, "shop", 0) and seen[-1][0] in (0, 3)
    assert lake.verify(deep=True, progress=lambda done, total: seen.append(len(lake.scan("shop/typed").rows()))) and seen[-1] == 210


def test_a_callback_that_raises_stops_the_update(shop):
    lake, feed, _ = shop

    def stop(progress):
        raise RuntimeError("enough")

    before = lake.status.runs().rows()
    with pytest.raises(RuntimeError, match="enough"):
        lake.update.dataset("typed", source="shop", end="2024-03-31", progress=stop)
    assert len(lake.status.files()) == 0
    assert all(run["state"] != "success" for run in lake.status.runs().rows()[:len(before) + 1])
    report = lake.update.dataset("typed", source="shop", end="2024-03-31", progress=False)
    assert report.rows_new == 210


def test_verify_callback(shop):
    lake, _, _ = shop
    lake.update.dataset("typed", source="shop", end="2024-03-31")
    seen = []
    assert lake.verify(deep=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)

    def stop(done, total):
        raise KeyError("enough")

    with pytest.raises(KeyError):
        lake.verify(deep=True, progress=stop)
    assert lake.verify(deep=True, source="shop", dataset="typed").rows_checked == 210


# --- verify


def test_verify(ecb, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ecb, copy)
    with lochan.DataLake.open(copy) as lake:
        report = lake.verify(deep=True)
        assert report and report.rows_checked == ECB_ROWS and report.files_checked == 2 and "sound" in repr(report)
        path = copy / lake.status.files().rows()[0]["path"]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        report = lake.verify(deep=True)
        assert not report and report.problems >= 1
        problem = report.details.rows()[0]
        assert problem["kind"] == "page" and problem["path"] in str(path) and problem["dataset"] == "fx_daily"
        assert "problem" in repr(report) and "<table>" in report._repr_html_()
        # Reading tells it too, as our own error whoever reads.
        for read in (lambda s: s.to_arrow(), lambda s: s.to_polars(), lambda s: s.to_pandas(), lambda s: s.rows(),
                     lambda s: list(s.batches())):
            with pytest.raises(lochan.CorruptError) as caught:
                read(lake.scan("ecb/fx_daily"))
            assert caught.value.file and caught.value.file in str(path) and caught.value.table == "ecb.fx_daily"
        path.unlink()
        assert {row["kind"] for row in lake.verify().details.rows()} == {"missing"}
        with pytest.raises(lochan.CorruptError, match=path.name):
            lake.scan("ecb/fx_daily").to_polars()


# --- tables


def test_tables_are_arrow_for_everybody(ecb):
    with lochan.DataLake.open(ecb) as lake:
        runs = lake.status.runs()
    assert len(runs) == 2 and runs.columns[:3] == ["update_id", "source", "dataset"]
    rows = runs.rows()
    assert runs.to_polars().to_dicts() == [dict(row, started_at=row["started_at"].astimezone(datetime.timezone.utc))
                                           for row in rows]
    assert runs.to_arrow().column("kind").to_pylist() == runs.to_pandas()["kind"].tolist() == ["update", "backfill"]
    assert pa.table(runs).equals(pa.table(runs)) and pa.schema(runs) == pa.table(runs).schema
    assert json.dumps([row["kind"] for row in rows]) == '["update", "backfill"]'


def test_lakes_can_be_moved(ecb, tmp_path):
    shutil.copytree(ecb, tmp_path / "elsewhere")
    with lochan.DataLake.open(tmp_path / "elsewhere") as lake:
        assert lake.verify() and str(tmp_path / "elsewhere") in lake.sql()
        assert lake.scan("ecb/fx_daily", limit=3).to_arrow().num_rows == 3


def test_feed(tmp_path):
    with pytest.raises(lochan.NotFoundError):
        lochan.Feed(tmp_path / "none")
    for wrong in ({"port": 70000}, {"port": -1}, {"faults": "nonsense"}, {"rate_per_second": -1}, {"tls_key": "key.pem"}):
        with pytest.raises(lochan.ArgumentError):
            lochan.Feed(ECB, **wrong)
    import urllib.request

    feed = lochan.Feed(ECB, page_cap=10)
    with urllib.request.urlopen(f"{feed.url}/eurofxref-hist.csv?start=2024-01-01&end=2024-12-31") as answer:
        assert len(answer.read().splitlines()) == 11 and answer.headers["X-Has-More"] == "true"
    assert feed.stats.requests == feed.stats.answered == 1 and feed.port in range(1024, 65536)
    assert feed.url in repr(feed)
    feed.stop()
    feed.stop()
    assert feed.stats.requests == 1 and "stopped" in repr(feed)
    with pytest.raises(OSError):
        urllib.request.urlopen(feed.url, timeout=5)


def test_feed_counts_what_it_refused():
    import urllib.error
    import urllib.request

    with lochan.Feed(ECB, rate_per_second=1) as feed:
        refused = 0
        for _ in range(4):
            try:
                urllib.request.urlopen(feed.url).close()
            except urllib.error.HTTPError as error:
                assert error.code == 429
                error.close()
                refused += 1
        assert feed.stats.limited == refused > 0 and feed.stats.requests == 4


def test_feed_over_https(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=feed", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with pytest.raises(lochan.Error):
        lochan.Feed(ECB, tls_certificate=tmp_path / "none.pem", tls_key=key)
    with lochan.Feed(ECB, tls_certificate=certificate, tls_key=key) as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        assert feed.url.startswith("https://") and feed.url in repr(feed)
        lake.sources.add("ecb")
        lake.sources.configure("ecb", url=feed.url)
        with pytest.raises(lochan.Error):
            lake.sources.test("ecb", "eurofxref-hist")
        lake.sources.configure("ecb", ca_file=str(certificate))
        answer = lake.sources.test("ecb", "eurofxref-hist", start="2026-10-01", end="2026-10-05")
        assert answer.http_status == 200 and answer.http_version == 11 and answer.rows > 0


def test_paths_of_any_kind(tmp_path):
    for name in ("ä ö", "it's", "a%20b", "x" * 100):
        with lochan.DataLake.init(pathlib.Path(tmp_path) / name) as lake:
            assert lake.path == str(tmp_path / name) and lake.verify()
    with pytest.raises((ValueError, TypeError)):
        lochan.DataLake.open("a\0b")
