"""keep_raw, lake.raw, lake.rebuild_from_raw, lake.trim_raw: a dataset built again without its provider."""
import json
import subprocess

import lochan
import pytest
from conftest import BIN
from lake_data import TYPED, add_typed, typed_rows, write_csv

ROWS = 80


@pytest.fixture
def lake(tmp_path):
    """Two updates, the second with a revision; then the provider is gone."""
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        write_csv(tmp_path / "typed.csv", typed_rows(days=20, assets=2))
        with lochan.Feed(tmp_path / "typed.csv") as feed:
            add_typed(lake, feed)
            lake.datasets.add(TYPED + "keep_raw: true\n", replace=True)
            lake.update.dataset("typed", source="shop", end="2024-01-20", progress=False)
        write_csv(tmp_path / "typed.csv", typed_rows(days=40, assets=2))
        with lochan.Feed(tmp_path / "typed.csv") as feed:
            lake.sources.configure("shop", url=feed.url)
            lake.update.dataset("typed", source="shop", end="2024-02-09", force=True, progress=False)
        yield lake


def test_the_same_table_again(lake):
    before = lake.scan("shop/typed").to_arrow()
    kept = lake.raw("shop/typed").rows()
    assert [row["mapping"] for row in kept] == ["current", "current"] and kept[0]["started_at"] < kept[1]["started_at"]
    status = lake.status.dataset("shop/typed").rows()[0]
    assert status["raw_bytes"] == sum(row["bytes"] for row in kept) > 0
    assert status["raw_files"] == sum(row["files"] for row in kept)
    report = lake.rebuild_from_raw("shop/typed")
    assert report and report.updates == 2 and report.rows == report.rows_unchanged == ROWS and report.files_written == 0
    assert report.snapshot_id == -1 and "80 unchanged" in repr(report)
    assert lake.scan("shop/typed").to_arrow().equals(before)


def test_what_is_lacking(lake):
    before = lake.scan("shop/typed").to_arrow()
    kept = lake.raw("shop/typed").rows()
    first = kept[0]["update_id"]
    with pytest.raises(lochan.PartialError, match="lack"):
        lake.rebuild_from_raw("typed", "shop", updates=[first])
    plan = lake.rebuild_from_raw("typed", "shop", updates=[first], plan=True)
    assert not plan and plan.rows == 40 and plan.rows_removed == 40 and plan.snapshot_id == -1
    assert plan.lacks.rows()[0]["day_from"] == "2024-01-21" and "2024-01-21" in repr(plan)
    assert lake.rebuild_from_raw("shop/typed", since=kept[1]["started_at"], plan=True).updates == 1
    assert lake.scan("shop/typed").to_arrow().equals(before)
    report = lake.rebuild_from_raw("shop/typed", updates=[first], partial=True)
    assert report.rows_removed == 40 and lake.scan("shop/typed").to_arrow().num_rows == 40
    assert lake.scan("shop/typed", as_of=report.snapshot_id - 1).to_arrow().num_rows == ROWS
    assert [row["reason"] for row in lake.status.gaps("shop/typed", end="2024-02-09").rows()] == ["failed"]
    assert lake.rebuild_from_raw("shop/typed").rows_new == 40 and lake.scan("shop/typed").to_arrow().equals(before)
    with pytest.raises(lochan.NotFoundError):
        lake.rebuild_from_raw("shop/typed", updates=["nobody"])


def test_another_spec(lake):
    lake.datasets.add(TYPED + "keep_raw: true\nvalidation: [{rule: range, column: i8, max: -1, on_error: quarantine}]\n",
                      replace=True)
    assert lake.rebuild_from_raw("shop/typed", plan=True).rows_rejected > 0


def test_trim(lake):
    sizes = [row["bytes"] for row in lake.raw().rows()]
    assert lake.trim_raw() == (0, 0)
    files, gone = lake.trim_raw("shop/typed", max_bytes=sum(sizes) - 1)
    assert gone == sizes[0] and files > 0 and len(lake.raw("shop/typed")) == 1
    assert lake.trim_raw(max_bytes=0)[1] == sizes[1]
    with pytest.raises(lochan.NotFoundError, match="no answers are kept"):
        lake.rebuild_from_raw("shop/typed")
    with pytest.raises(lochan.ArgumentError):
        lake.trim_raw(max_bytes=-1)


def test_the_command(lake, tmp_path):
    def run(*args, code=0):
        done = subprocess.run([BIN, "--lake", str(tmp_path / "lake"), *args], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done

    kept = [json.loads(line) for line in run("raw", "--json").stdout.splitlines()]
    assert len(kept) == 2
    assert json.loads(run("rebuild-from-raw", "shop/typed", "--json").stdout)["rows_unchanged"] == ROWS
    refused = run("rebuild-from-raw", "shop/typed", "--update", kept[0]["update_id"], code=10)
    assert "2024-01-21" in refused.stdout and "--partial" in refused.stderr
    assert json.loads(run("raw", "--trim", "0", "--json").stdout)["bytes"] > 0
