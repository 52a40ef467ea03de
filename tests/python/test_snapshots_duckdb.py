"""Snapshots and time travel: lochan and DuckDB show the same rows of every snapshot that is kept, whatever was done since."""
import shutil

import pytest

from conftest import duckdb_connection, json_lines, lochan
from test_foreign_duckdb import END, duck_rows, our_rows, shop  # noqa: F401 (a fixture)


@pytest.fixture
def lake(shop, tmp_path):  # noqa: F811
    """Six snapshots or so: filled, an update by halves, a rollback, a compaction."""
    lake = tmp_path / "lake"
    lochan("init", lake=lake)
    lochan("source", "add", shop[0] / "source.yaml", lake=lake)
    lochan("dataset", "add", shop[0] / "daily.yaml", lake=lake)
    for end in ("2023-01-20", "2023-02-10", "2023-02-20", END):
        lochan("update", "market/daily", "--end", end, lake=lake)
    return lake


def snapshots(lake):
    return [row["snapshot_id"] for row in json_lines(lochan("snapshots", "market/daily", "--json", lake=lake))]


def same_everywhere(lake, expected=None):
    """Every snapshot in both; `expected`: what some of them showed before."""
    shown = {}
    for snapshot in snapshots(lake):
        shown[snapshot] = our_rows(lake, "--as-of", snapshot)
        assert shown[snapshot] == duck_rows(lake, f"AT (VERSION => {snapshot})"), f"snapshot {snapshot}"
    for snapshot, rows in (expected or {}).items():
        if snapshot in shown:
            assert shown[snapshot] == rows, f"snapshot {snapshot} is another one now"
    return shown


def test_versions_and_times(lake):
    shown = same_everywhere(lake)
    assert len({len(rows) for rows in shown.values()}) >= 4
    for row in json_lines(lochan("snapshots", "market/daily", "--json", lake=lake)):
        at = f"AT (TIMESTAMP => TIMESTAMPTZ '{row['time']}')"
        assert duck_rows(lake, at) == shown[row["snapshot_id"]] == our_rows(lake, "--as-of", row["time"])


def test_both_list_the_same_snapshots(lake):
    duck = duckdb_connection()
    duck.execute(lochan("sql", lake=lake).stdout)
    theirs = {row[0] for row in duck.execute("SELECT snapshot_id FROM lake.snapshots()").fetchall()}
    duck.close()
    ours = {row["snapshot_id"] for row in json_lines(lochan("snapshots", "--json", lake=lake))}
    assert ours == theirs


def test_kept_snapshots_outlive_compaction_rollback_expire_and_gc(shop, lake):  # noqa: F811
    shown = same_everywhere(lake)
    first, *_, newest = sorted(shown)
    lochan("tag", "first", str(first), lake=lake)
    lochan("compact", "--full", lake=lake)
    shown = same_everywhere(lake, shown)
    lochan("rollback", "market/daily", "first", lake=lake)
    shown = same_everywhere(lake, shown)
    assert our_rows(lake) == shown[first]
    lochan("update", "market/daily", "--end", END, lake=lake)  # asks again for what the rollback took
    shown = same_everywhere(lake, shown)
    assert our_rows(lake) == shop[1]
    lochan("expire", "--older-than", "0", "--keep", "2", lake=lake)
    lochan("gc", "--grace", "0", lake=lake)
    kept = same_everywhere(lake, shown)
    assert first in kept and newest not in kept and len(kept) < len(shown)
    lochan("rebuild", lake=lake)
    assert same_everywhere(lake, kept) == kept
    lochan("verify", "--deep", lake=lake)


def test_duckdb_travels_in_a_restored_backup(lake, tmp_path):
    lochan("tag", "half", snapshots(lake)[1], lake=lake)
    shown = same_everywhere(lake)
    lochan("backup", tmp_path / "backup", lake=lake)
    lochan("restore", tmp_path / "backup", tmp_path / "restored", "--verify")
    kept = same_everywhere(tmp_path / "restored", shown)
    assert 2 <= len(kept) < len(shown)
    shutil.rmtree(tmp_path / "restored")
