"""lake.status.gaps, scopes, failures, partitions, rejects; lake.datasets.enable, disable, remove; validate and record."""
import lochan
import pytest
from lake_data import ECB, add_typed, typed_rows, write_csv


@pytest.fixture
def lake(tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=40, assets=2))
    with lochan.Feed(tmp_path / "typed.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        lake.update.dataset("typed", source="shop", end="2024-02-20", progress=False)
        yield lake


def test_lists_of_the_ledger(lake):
    assert sum(row["rows"] for row in lake.status.partitions("shop/typed").rows()) == 80
    scopes = lake.status.scopes("typed", source="shop").rows()
    assert {row["state"] for row in scopes} <= {"success", "empty"} and str(scopes[0]["day_from"]) == "2024-01-01"
    assert lake.status.failures(limit=5).rows() == [] and lake.status.rejects("shop/typed").rows() == []
    gaps = lake.status.gaps("shop/typed", start="2024-01-01", end="2024-03-10").rows()
    assert gaps[-1]["reason"] == "never asked" and str(gaps[-1]["day_to"]) == "2024-03-10"
    for table in (lake.status.partitions(), lake.status.scopes(), lake.status.gaps("shop/typed")):
        assert repr(table) and table._repr_html_()
    with pytest.raises(lochan.NotFoundError):
        lake.status.gaps("shop/none")


def test_failures_are_listed(tmp_path):
    with lochan.Feed(ECB, faults="http500:1") as broken, lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add("ecb")
        lake.sources.configure("ecb", url=broken.url)
        lake.datasets.add("ecb/fx_daily")
        with pytest.raises(lochan.Error):
            lake.update.backfill("fx_daily", "ecb", "2020-01-01", "2020-12-31", max_retries=0, progress=False)
        assert lake.status.failures(source="ecb").rows()[0]["http_status"] == 500


def test_enable_disable_remove(lake):
    lake.datasets.disable("shop/typed")
    assert lake.datasets.list().rows()[0]["enabled"] is False
    with pytest.raises(lochan.Error, match="disabled"):
        lake.update.dataset("shop/typed", progress=False)
    lake.datasets.enable("typed", source="shop")
    lake.update.dataset("shop/typed", end="2024-02-20", progress=False)
    with pytest.raises(lochan.ArgumentError, match="confirm"):
        lake.datasets.remove("shop/typed", delete_data=True)
    lake.datasets.remove("shop/typed")
    assert lake.datasets.list().rows() == [] and lake.scan("shop/typed").to_arrow().num_rows == 80
    with pytest.raises(lochan.NotFoundError):
        lake.datasets.remove("shop/typed")


def test_answers_are_recorded(lake, tmp_path):
    lake.update.dataset("shop/typed", start="2024-01-01", end="2024-01-31", force=True, record=tmp_path / "answers", progress=False)
    assert any((tmp_path / "answers").iterdir())
    with pytest.raises(lochan.ArgumentError):
        lake.update.dataset("shop/typed", end="2024-02-20", force=True, validate="perhaps", progress=False)
    assert lake.update.dataset("shop/typed", end="2024-02-20", force=True, validate="off", progress=False).rows_warned == 0
