"""A short while of the crowd (crowd.py); tools/crowd makes it minutes."""
import crowd


def test_a_crowd_disagrees_about_nothing(tmp_path):
    done = crowd.run(8, "suite", tmp_path)
    assert done.counts["update"] >= 2 and done.counts["append"] >= 2 and done.counts["duckdb"] >= 1
    assert done.counts["scan"] >= 2 and done.counts["backup"] >= 1 and done.counts["compact"] >= 1
