"""lake.snapshots, tag, untag, diff, rollback, files of a snapshot and current/, retention, expire, gc; the example of them."""
import datetime
import pathlib
import subprocess
import sys

import lochan
import pyarrow as pa
import pytest
from lake_data import ROOT, add_typed, typed_rows, write_csv

DAY = datetime.timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    """Two snapshots with rows: a first fill, then one row changed and one new."""
    rows = typed_rows(days=40, assets=2)
    write_csv(tmp_path / "typed.csv", rows)
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        with lochan.Feed(tmp_path / "typed.csv") as feed:
            add_typed(lake, feed)
            lake.update.dataset("shop/typed", end="2024-02-09", progress=False)
        changed = [dict(rows[0], i="7"), *rows[1:], dict(rows[-1], id="ZZZ")]
        (tmp_path / "later").mkdir()
        write_csv(tmp_path / "later" / "typed.csv", changed)
        with lochan.Feed(tmp_path / "later") as feed:
            lake.sources.configure("shop", url=feed.url)
            lake.update.dataset("shop/typed", end="2024-02-09", force=True, progress=False)
        yield lake


def ends(lake):
    newest, before = [row["snapshot_id"] for row in lake.snapshots("shop/typed").rows()][:2]
    return before, newest


def test_snapshots_and_tags(lake):
    before, newest = ends(lake)
    assert before < newest
    listed = lake.snapshots()
    assert listed.columns == ["snapshot_id", "time", "kind", "author", "message", "changes", "tags"]
    assert len(listed) >= len(lake.snapshots("typed", source="shop")) == 3 and len(lake.snapshots(limit=1)) == 1
    assert lake.tag("start", before) == before and lake.tag("now") == lake.snapshots(limit=1).rows()[0]["snapshot_id"]
    assert lake.scan("shop/typed", as_of="start").to_arrow().num_rows == 80
    tags = {row["snapshot_id"]: row["tags"] for row in lake.snapshots().rows()}
    assert "start" in str(tags[before])
    assert lake.tag("start", newest) == newest
    lake.untag("start")
    with pytest.raises(lochan.NotFoundError):
        lake.untag("start")
    with pytest.raises(lochan.Error):
        lake.scan("shop/typed", as_of="start")
    for wrong in ("7", "2024-01-01", ""):
        with pytest.raises(lochan.ArgumentError):
            lake.tag(wrong)
    with pytest.raises(TypeError):
        lake.tag(None)


def test_diff(lake):
    before, newest = ends(lake)
    diff = lake.diff("shop/typed", before, newest)
    rows = diff.rows()
    assert [row["_change"] for row in rows if row["asset_id"] == "A000"] == ["before", "after"]
    assert [(row["_change"], row["asset_id"]) for row in rows if row["asset_id"] != "A000"] == [("added", "ZZZ")]
    assert [row["i"] for row in rows if row["_change"] == "after"] == [7]
    table = pa.table(diff)
    assert table.equals(diff.to_arrow()) and diff.to_polars().height == 3 and len(diff.to_pandas()) == 3
    assert sum(batch.num_rows for batch in diff) == 3 and diff.to_duckdb().count("*").fetchall() == [(3,)]
    assert pa.schema(diff).names[0] == "_change" and "diff of shop/typed" in repr(diff)
    assert lake.diff("typed", newest, source="shop").rows() == []
    back = lake.diff("shop/typed", newest, before).rows()
    assert sorted(row["_change"] for row in back) == ["after", "before", "removed"]
    with pytest.raises(lochan.NotFoundError):
        lake.diff("shop/none", before)
    with pytest.raises(lochan.Error, match="99999"):
        lake.diff("shop/typed", 99999)


def test_rollback(lake):
    before, newest = ends(lake)
    old = lake.scan("shop/typed", as_of=before).to_arrow()
    snapshot = lake.rollback("shop/typed", before)
    assert snapshot is not None and snapshot > newest
    assert lake.scan("shop/typed").to_arrow().equals(old) and lake.verify(deep=True)
    assert lake.rollback("typed", snapshot, source="shop") is None
    assert lake.rollback("shop/typed", newest) > snapshot and lake.diff("shop/typed", newest).rows() == []


def test_expire_and_gc(lake):
    before, newest = ends(lake)
    assert lake.expire().snapshots == 0
    lake.tag("kept", before)
    planned = lake.expire(datetime.timedelta(0), dry_run=True)
    assert planned.dry_run and planned.snapshots > 0 and planned.files == 0 and "would forget" in repr(planned)
    lake.untag("kept")
    done = lake.expire(datetime.timedelta(0), keep=1)
    assert done.snapshots > planned.snapshots and done.files >= 1 and done.bytes > 0 and "forgot" in repr(done)
    assert len(lake.snapshots()) == 1
    with pytest.raises(lochan.Error):
        lake.scan("shop/typed", as_of=before).rows()
    waiting = lake.gc()
    assert waiting.files == 0 and waiting.waiting == done.files and "wait" in repr(waiting)
    plan = lake.gc(datetime.timedelta(0), dry_run=True)
    assert plan.files == done.files == len(plan.plan) and plan.plan.columns == ["path", "bytes", "forgotten_at"]
    gone = lake.gc(datetime.timedelta(0))
    assert gone.files == plan.files and gone.bytes == done.bytes and lake.gc(datetime.timedelta(0)).files == 0
    assert lake.verify(deep=True) and lake.scan("shop/typed").to_arrow().num_rows == 81
    for call in (lake.expire, lake.gc):
        with pytest.raises(TypeError, match="timedelta"):
            call(30)
        with pytest.raises(lochan.ArgumentError):
            call(-DAY)


def test_tokens(lake):
    before, newest = ends(lake)
    assert lake.tag("old", before, token="a") == before and lake.commit_status("a")
    assert lake.tag("old", newest, token="a") == before  # not again
    lake.untag("old", token="b")
    lake.untag("old", token="b")
    with pytest.raises(lochan.NotFoundError):
        lake.untag("old")
    back = lake.rollback("shop/typed", before, token="c")
    assert back > newest and lake.rollback("shop/typed", newest, token="c") == back
    assert lake.expire(0 * DAY, dry_run=True, token="d").snapshots > 0 and not lake.commit_status("d")
    assert lake.expire(0 * DAY, token="d").snapshots > 0 and lake.commit_status("d")
    assert lake.expire(0 * DAY, token="d").snapshots == 0
    assert lake.gc(0 * DAY, token="e").files > 0 and lake.gc(0 * DAY, token="e").files == 0


def test_files_of_a_snapshot(lake):
    before, newest = ends(lake)
    old, new = lake.status.files("shop/typed", as_of=before), lake.status.files("typed", source="shop", as_of=newest)
    assert old.columns == ["source", "dataset", "path", "rows", "bytes"]
    assert sum(row["rows"] for row in old.rows()) == 80 and sum(row["rows"] for row in new.rows()) == 81
    paths = {row["path"] for row in old.rows()}
    assert paths != {row["path"] for row in new.rows()} == {row["path"] for row in lake.status.files().rows()}
    assert all((pathlib.Path(lake.path) / row["path"]).stat().st_size == row["bytes"] for row in old.rows())
    lake.tag("start", before)
    assert {row["path"] for row in lake.status.files(as_of="start").rows()} == paths
    assert {row["path"] for row in lake.status.files(source="shop", as_of=before).rows()} == paths
    with pytest.raises(lochan.NotFoundError, match="99999"):
        lake.status.files(as_of=99999)
    with pytest.raises(lochan.NotFoundError, match="there is: shop/typed"):
        lake.status.files("shop/none", as_of=before)


def test_current_follows(lake):
    root = pathlib.Path(lake.path)

    def links():
        return {str(path.relative_to(root / "current")) for path in (root / "current").rglob("*.parquet")}

    def live():
        return {row["path"] for row in lake.status.files().rows()}

    assert links() == set()
    lake.keep_current()
    first = live()
    assert links() == first and all((root / path).samefile(root / "current" / path) for path in first)
    lake.rollback("shop/typed", ends(lake)[0])
    assert links() == live() != first
    lake.keep_current(False)
    assert links() == set() and lake.verify(deep=True)


def test_retention(lake):
    lake.set_retention(90 * DAY)
    assert lake.expire().snapshots == 0
    lake.set_retention(0 * DAY)
    assert lake.expire(90 * DAY).snapshots == 0 and lake.expire(dry_run=True).snapshots == lake.expire().snapshots > 0
    assert len(lake.snapshots()) == 1 and lake.expire().snapshots == 0
    for wrong in (None, 30):
        with pytest.raises(TypeError, match="timedelta"):
            lake.set_retention(wrong)
    with pytest.raises(lochan.ArgumentError):
        lake.set_retention(-DAY)


def test_read_only(lake):
    with lochan.DataLake.open(lake.path, read_only=True) as reader:
        assert len(reader.snapshots()) >= 2 and len(reader.diff("shop/typed", ends(reader)[0]).rows()) == 3
        for call in (lambda: reader.tag("x"), lambda: reader.rollback("shop/typed", ends(reader)[0]), lambda: reader.expire(0 * DAY),
                     lambda: reader.gc(0 * DAY), lambda: reader.set_retention(DAY), reader.keep_current):
            with pytest.raises(lochan.ReadOnlyError):
                call()


def test_the_example_runs(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "snapshots.py"), str(tmp_path / "lake")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for part in ("year_end_2025", "6,177 rows came", "rows as of the tag: 215525", "rolled back: 215525", "forgot", "removed"):
        assert part in done.stdout, (part, done.stdout)
