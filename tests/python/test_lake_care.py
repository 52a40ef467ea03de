"""lake.backup, DataLake.restore, DataLake.rebuild."""
import lochan
import pytest
from lake_data import add_typed, typed_rows, write_csv

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
