"""lake.sources.test, draft, remove; lake.datasets.compare; lake.rejects, lake.gaps; recorded answers replayed."""
import lochan
import pytest
from lake_data import ECB, SOURCE, TYPED, add_typed, typed_rows, write_csv

PRICES = """
name: prices
source: shop
asset_column: id
time_column: day
default_start: 2024-01-01
columns: {asset_id: string, time: date, price: float64}
primary_key: [asset_id, time]
validation: [{rule: range, column: price, min: 0, max: 100, on_error: quarantine}]
"""


@pytest.fixture
def shop(tmp_path):
    write_csv(tmp_path / "typed.csv", typed_rows(days=40, assets=2))
    with lochan.Feed(tmp_path / "typed.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        yield lake, feed, tmp_path


# --- test


def test_a_source_is_tried(shop):
    lake, feed, _ = shop
    answer = lake.sources.test("shop", "typed", start="2024-01-01", end="2024-01-05")
    assert answer.decoded and answer.http_status == 200 and answer.rows == 10 and "day" in answer.names.split(",")[1]
    assert answer.request.startswith("GET http://") and answer.bytes > 0 and answer.excerpt.startswith("id,day")
    assert "HTTP 200" in repr(answer) and answer._repr_html_().startswith("<div>") and feed.stats.requests == 1
    with pytest.raises(lochan.HttpError) as caught:
        lake.sources.test("shop", "none")
    assert caught.value.answer.http_status == 404 and not caught.value.answer.decoded
    with pytest.raises(lochan.NotFoundError) as missing:
        lake.sources.test("nobody", "typed")
    assert missing.value.answer is None or missing.value.answer.request == ""
    with pytest.raises(TypeError):
        lake.sources.test(None, "typed")
    assert lochan.Error("x").answer is None


def test_secrets_are_not_shown(shop, monkeypatch):
    lake, feed, _ = shop
    monkeypatch.setenv("SHOP_TOKEN", "very-secret-word")
    lake.sources.add(SOURCE.format(name="keyed", url=feed.url)+ 'secret: env:SHOP_TOKEN\nheaders: {Authorization: "Bearer {secret}"}\n')
    answer = lake.sources.test("keyed", "typed", start="2024-01-01", end="2024-01-02")
    assert "very-secret-word" not in str(tuple(answer)) and answer.rows > 0


# --- draft, remove, compare


def test_draft(shop, tmp_path):
    lake, feed, folder = shop
    source, dataset = lake.sources.draft(folder / "typed.csv", "mine")
    assert source.startswith("#") or "name: mine" in source
    assert "mine" in dataset and lake.sources.draft((folder / "typed.csv").read_text(), "mine") == (source, dataset)
    lake.sources.add(source.replace("\t", " ") + "\n")
    assert "mine" in [row["name"] for row in lake.sources.list().rows()]
    lake.datasets.add(dataset + "\n")
    for wrong in ("", b"\xff\xfe", "just words"):
        with pytest.raises(lochan.Error):
            lake.sources.draft(wrong)
    with pytest.raises(lochan.ArgumentError, match="1 MB"):
        lake.sources.draft("x" * (2 << 20))


def test_remove(shop):
    lake, feed, _ = shop
    with pytest.raises(lochan.ExistsError, match="1 dataset"):
        lake.sources.remove("shop")
    lake.datasets.remove("shop/typed")
    lake.sources.remove("shop")
    assert len(lake.sources.list()) == 0
    with pytest.raises(lochan.NotFoundError):
        lake.sources.remove("shop")


def test_compare(shop, tmp_path):
    lake, feed, _ = shop
    lake.update.dataset("shop/typed", end="2024-01-31", progress=False)
    assert lake.datasets.compare(TYPED) is False
    assert lake.datasets.compare(TYPED + "description: other words\n") is False
    changed = TYPED.replace("asset_column: id", "asset_column: name").replace("  name: string\n", "")
    path = tmp_path / "changed.yaml"
    path.write_text(changed)
    assert lake.datasets.compare(changed) is True and lake.datasets.compare(path) is True
    assert lake.datasets.get("shop/typed") in (TYPED, lake.datasets.get("shop/typed"))  # nothing was put in place
    with pytest.raises(lochan.SpecError):
        lake.datasets.compare(TYPED.replace("primary_key", "primry_key"))


# --- gaps and rejects


def test_gaps_of_the_lake(shop):
    lake, feed, _ = shop
    lake.update.dataset("shop/typed", end="2024-02-05", progress=False)
    gaps = lake.gaps("shop/typed", end="2024-03-01").rows()
    assert gaps == lake.status.gaps("typed", source="shop", end="2024-03-01").rows() and gaps[-1]["reason"] == "never asked"


@pytest.fixture
def rejected(tmp_path):
    rows = [{"id": "A", "day": f"2024-01-{day:02d}", "price": str(price)} for day, price in ((1, 5), (2, 500), (3, -1), (4, 7))]
    write_csv(tmp_path / "prices.csv", rows)
    with lochan.Feed(tmp_path / "prices.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add(SOURCE.format(name="shop", url=feed.url))
        lake.datasets.add(PRICES)
        report = lake.update.dataset("shop/prices", end="2024-01-04", progress=False)
        assert report.rows_rejected == 2 and report.rows_new == 2
        yield lake, report


def test_rejects(rejected):
    lake, report = rejected
    kept = lake.rejects.list("shop/prices").rows()
    assert len(kept) == 2 and {row["state"] for row in kept} == {"kept"} and all(row["column"] == "price" for row in kept)
    assert lake.rejects.list(update_id=report.update_id).rows() == kept == lake.status.rejects("prices", source="shop").rows()
    assert "price" in repr(lake.rejects) and lake.rejects._repr_html_().startswith("<table>")
    assert lake.rejects.release("shop/prices", update_id=report.update_id) == 2
    assert sorted(row["price"] for row in lake.scan("shop/prices").rows()) == [-1, 5, 7, 500]
    assert {row["state"] for row in lake.rejects.list().rows()} == {"released"} and lake.rejects.release("shop/prices") == 0


def test_rejects_are_dropped(rejected):
    lake, report = rejected
    assert lake.rejects.drop("prices", source="shop") == 2
    assert lake.rejects.list().rows() == [] and len(lake.scan("shop/prices").rows()) == 2
    assert lake.rejects.drop("shop/prices") == 0


# --- record and replay


def test_recorded_answers_are_replayed(tmp_path):
    with lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add("ecb")
        lake.datasets.add("ecb/fx_daily")
        with lochan.Feed(ECB) as feed:
            lake.sources.configure("ecb", url=feed.url)
            first = lake.update.backfill("ecb/fx_daily", start="2020-01-01", end="2020-03-31", record=tmp_path / "answers", progress=False)
        with lochan.Feed(tmp_path / "answers", replay=True) as feed:
            lake.sources.configure("ecb", url=feed.url)
            again = lake.update.backfill("ecb/fx_daily", start="2020-01-01", end="2020-03-31", force=True, progress=False)
            assert feed.stats.requests == again.requests == first.requests
        assert again.rows_unchanged == first.rows_new > 1000
    with pytest.raises(lochan.Error):
        lochan.Feed(tmp_path / "lake", replay=True)
