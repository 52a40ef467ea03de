"""Lakes made by earlier versions: they open, verify, read as they did, are read by others, and can be written on."""
import csv
import shutil

import polars
import pytest
from conftest import ROOT, duckdb_connection, json_lines, lochan

GOLDEN = sorted(path for path in (ROOT / "tests" / "golden").iterdir() if (path / "lake").is_dir())


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def golden(request, tmp_path):
    """(copy of the lake, its expected tables)"""
    shutil.copytree(request.param / "lake", tmp_path / "lake")
    return tmp_path / "lake", sorted((request.param / "expected").glob("*.csv"))


def test_golden__there_is_one():
    assert GOLDEN


def test_golden__reads_as_it_did(golden):
    lake, expected = golden
    for path in expected:
        name, _, snapshot = path.stem.partition("-at-")
        as_of = ["--as-of", snapshot] if snapshot else []
        text = path.read_text()
        columns = ["--columns", text.partition("\n")[0]]  # _known_at comes only where it is asked for
        assert lochan("scan", f"golden/{name}", *as_of, *columns, "--format", "csv", lake=lake).stdout == text


def test_golden__verifies(golden):
    lake, _ = golden
    assert lochan("verify", "--deep", lake=lake).returncode == 0


def test_golden__others_read_it(golden):
    lake, expected = golden
    duck = duckdb_connection()
    duck.execute(lochan("sql", lake=lake).stdout)
    for path in expected:
        name, _, snapshot = path.stem.partition("-at-")
        if snapshot:
            continue
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        got = duck.execute(f"SELECT asset_id, CAST(time AS VARCHAR), CAST(price AS VARCHAR), volume, note "
                           f"FROM lake.golden.{name} ORDER BY time, asset_id").fetchall()
        assert got == [(row["asset_id"], row["time"], row["price"], int(row["volume"]) if row["volume"] else None,
                        row["note"] or None) for row in rows]
        live = [lake / row["path"] for row in json_lines(lochan("files", f"golden/{name}", "--json", lake=lake))]
        frame = polars.concat([polars.read_parquet(file, hive_partitioning=False) for file in live])
        assert frame.height == len(rows)
        assert frame.sort("time", "asset_id")["price"].cast(polars.String).to_list() == [row["price"] for row in rows]
    duck.close()


def test_golden__can_be_written_on(golden):
    lake, _ = golden
    lochan("source", "set", "golden", "url=http://127.0.0.1:9", lake=lake)
    assert "127.0.0.1:9" in lochan("source", "show", "golden", lake=lake).stdout
    lochan("verify", lake=lake)
