"""`explain`: what the merge would touch, before it begins."""
import lochan
import pytest
from lake_data import ECB


@pytest.fixture
def lake(tmp_path):
    with lochan.Feed(ECB) as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        lake.sources.add("ecb")
        lake.sources.configure("ecb", url=feed.url)
        lake.datasets.add("ecb")
        yield lake


def test_the_plan_is_told_before_the_merge(lake):
    plans = []
    days = {"source": "ecb", "start": "2024-01-01", "end": "2024-12-31"}
    report = lake.update.dataset("fx_daily", explain=plans.append, **days)
    (plan,) = plans
    assert isinstance(plan, lochan.MergePlan) and (plan.source, plan.dataset) == ("ecb", "fx_daily")
    assert plan.rows == report.rows_new > 0 and plan.files == 0 and plan.memory_bytes > 0
    reports = lake.update.datasets(["fx_daily"], force=True, explain=plans.append, **days)
    assert reports[0].rows_unchanged == plan.rows and len(plans) == 2


def test_what_it_raises_stops_the_update(lake):
    def no(plan):
        raise RuntimeError("too much")

    with pytest.raises(RuntimeError, match="too much"):
        lake.update.dataset("fx_daily", source="ecb", start="2024-01-01", end="2024-12-31", explain=no)
    assert lake.update.dataset("fx_daily", source="ecb", start="2024-01-01", end="2024-12-31").rows_new > 0
    with pytest.raises(lochan.ArgumentError):
        lake.update.dataset("fx_daily", source="ecb", end="2024-12-31", dry_run=True, explain=no)
