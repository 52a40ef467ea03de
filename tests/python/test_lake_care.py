"""lake.backup, DataLake.restore, DataLake.rebuild, lake.compact, lake.repair."""
import lochan
import pytest
from io_data import holdings, settings
from lake_data import add_typed, typed_rows, write_csv
from lochan.io import Dataset

ROWS = 80


@pytest.fixture
def lake(tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=40, assets=2))
    with lochan.Feed(tmp_path / "typed.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        lake.update.dataset("typed", source="shop", end="2024-02-09", progress=False)
        yield lake


def test_backup_and_restore(lake, tmp_path):
    seen = []
    first = lake.backup(tmp_path / "copy", progress=lambda done, total: seen.append((done, total)))
    assert first.files == first.files_copied >= 2 and first.bytes == first.bytes_copied > 0 and seen[-1][0] == seen[-1][1]
    again = lake.backup(str(tmp_path / "copy"))
    assert again.files == first.files and again.files_copied == again.files_removed == 0
    made = lochan.DataLake.restore(tmp_path / "copy", tmp_path / "back", verify=True)
    assert made and made.files == first.files and len(made.details) == 0
    with lochan.DataLake.open(tmp_path / "back") as back:
        assert back.verify(deep=True) and back.scan("shop/typed").to_arrow().equals(lake.scan("shop/typed").to_arrow())
    assert lochan.DataLake.restore(tmp_path / "copy", tmp_path / "linked", link=True).details is None
    with pytest.raises(lochan.ExistsError):
        lochan.DataLake.restore(tmp_path / "copy", lake.path)
    with pytest.raises(lochan.NotFoundError):
        lochan.DataLake.restore(tmp_path / "none", tmp_path / "other")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("a")
    with pytest.raises(lochan.ExistsError):
        lake.backup(tmp_path / "full")

    def stop(done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        lake.backup(tmp_path / "never", progress=stop)
    assert lake.scan("shop/typed").to_arrow().num_rows == ROWS


def test_a_damaged_file_is_not_backed_up(lake, tmp_path):
    path = tmp_path / "lake" / lake.status.files().rows()[0]["path"]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(lochan.CorruptError, match=path.name):
        lake.backup(tmp_path / "copy")


def test_rebuild(lake, tmp_path):
    before = lake.scan("shop/typed").to_arrow()
    lake.close()
    for path in (tmp_path / "lake").glob("lake.db*"):
        path.unlink()
    report = lochan.DataLake.rebuild(tmp_path / "lake")
    assert report and report.records > 0 and report.rows == ROWS and report.files == 2 and report.unknown_files == 0
    with lochan.DataLake.open(tmp_path / "lake") as again:
        assert again.scan("shop/typed").to_arrow().equals(before) and again.verify(deep=True)
    with pytest.raises(lochan.NotFoundError):
        lochan.DataLake.rebuild(tmp_path / "nothing")


def test_compact(tmp_path):
    run = Dataset(settings(tmp_path), "r")
    for i in range(10):
        run.append("holdings", holdings(range(i * 5, i * 5 + 5)))
    before = run.read("holdings")
    with lochan.DataLake.open(tmp_path) as lake:
        plan = lake.compact(dry_run=True)
        assert plan.dry_run and plan.groups == 0 and plan.snapshot_id == -1 and plan.bytes_planned > 0
        assert plan.plan.columns == ["source", "dataset", "folder", "files", "rows", "bytes", "action"]
        assert [(row["files"], row["rows"]) for row in plan.plan.rows()] == [(10, 50)] and "would join 10 files into 1" in repr(plan)
        assert len(lake.compact(min_files=11, dry_run=True).plan) == 0 and len(lake.compact("runs/holdings", dry_run=True).plan) == 1
        assert lake.compact(target_bytes=2 * before.estimated_size() // 10, dry_run=True).bytes_planned < plan.bytes_planned
        capped = lake.compact(source="runs", max_input_bytes=10)
        assert (capped.groups, capped.groups_left, len(lake.status.files())) == (0, 1, 10)
        with lochan.DataLake.open(tmp_path, read_only=True) as reader:
            assert reader.compact(dry_run=True).bytes_planned == plan.bytes_planned
            with pytest.raises(lochan.ReadOnlyError):
                reader.compact()
        done = lake.compact()
        assert (done.groups, done.files_joined, done.rows, done.conflicts, done.tables_skipped) == (1, 10, 50, 0, 0)
        assert done.bytes_read == plan.bytes_planned and done.bytes_written > 0 and done.groups_copied + done.groups_decoded == 10
        assert done.snapshot_id == lake.snapshots(limit=1).rows()[0]["snapshot_id"] and "joined 10 files into 1, 50 rows" in repr(done)
        assert len(lake.status.files()) == 1 and lake.verify(deep=True) and run.read("holdings").equals(before)
        run.append("holdings", holdings(range(50, 55)))
        assert lake.compact().groups == 0 and lake.compact(full=True, min_file_bytes=1).groups == 0
        joined = lake.compact(full=True)
        assert joined.files_joined == 2 and joined.groups_clustered == 0
        for wrong in ({"target_bytes": -1}, {"max_input_bytes": -1}, {"min_file_bytes": -1}, {"min_files": 1}):
            with pytest.raises(lochan.ArgumentError):
                lake.compact(**wrong)
        with pytest.raises(lochan.ArgumentError, match="cluster_columns"):
            lake.compact("runs/holdings", cluster=True)
        with pytest.raises(lochan.NotFoundError):
            lake.compact("runs/nothing")


def test_repair(lake, tmp_path):
    before = lake.scan("shop/typed").to_arrow()
    assert lake.repair(deep=True) and repr(lake.repair()) == "nothing to repair" and len(lake.repair().plan) == 0
    file = lake.status.files().rows()[0]
    path = tmp_path / "lake" / file["path"]
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert lake.repair("shop/typed").files_damaged == 0  # sizes and footers are as they were
    plan = lake.repair("typed", source="shop", deep=True, dry_run=True)
    assert plan and (plan.files_damaged, plan.files_taken_out, plan.snapshot_id) == (1, 0, -1)
    assert plan.plan.columns == ["source", "dataset", "path", "problem", "action", "detail"]
    assert [(row["path"], row["action"]) for row in plan.plan.rows()] == [(file["path"], "fetch again")]
    assert "1 damaged file, nothing was changed" in repr(plan) and "fetch again" in plan._repr_html_()
    with lochan.DataLake.open(lake.path, read_only=True) as reader:
        assert reader.repair(deep=True, dry_run=True).files_damaged == 1
        with pytest.raises(lochan.ReadOnlyError):
            reader.repair()
    done = lake.repair(deep=True)
    assert done and (done.files_damaged, done.files_taken_out, done.rows_taken_out) == (1, 1, file["rows"]) and done.intervals_reopened > 0
    assert done.snapshot_id == lake.snapshots(limit=1).rows()[0]["snapshot_id"] and "1 taken out" in repr(done) and path.exists()
    assert lake.verify(deep=True) and lake.scan("shop/typed").to_arrow().num_rows == ROWS - file["rows"]
    assert lake.update.dataset("shop/typed", end="2024-02-09", progress=False).rows_new == file["rows"]
    assert lake.scan("shop/typed").to_arrow().equals(before)
    for row in lake.status.files().rows():
        (tmp_path / "lake" / row["path"]).unlink()
    with pytest.raises(lochan.InputOutputError, match="typed"):
        lake.repair()
    assert len(lake.status.files()) == 2 and lake.repair(force=True).files_taken_out == 2 and lake.scan("shop/typed").rows() == []
    with pytest.raises(lochan.NotFoundError):
        lake.repair("shop/none")
