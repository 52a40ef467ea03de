"""DuckDB's ducklake extension as a second writer of a lake: what it wrote is read right or refused by name, never wrongly."""
import datetime
import shutil
import sqlite3

import pytest

from conftest import (MARKET_SPEC, SOURCE_SPEC, Feed, duckdb_connection, json_lines, lochan, market_expected, market_rows,
                      write_market)

END = "2023-12-31"
KEY = ("time", "asset_id")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The provider, and a lake that has all of it."""
    folder = tmp_path_factory.mktemp("foreign")
    rows = market_rows(days=70, assets=4)
    write_market(folder / "daily.csv", rows)
    feed = Feed(folder / "daily.csv", folder)
    (folder / "source.yaml").write_text(SOURCE_SPEC.format(url=feed.url))
    (folder / "daily.yaml").write_text(MARKET_SPEC)
    lake = folder / "lake"
    lochan("init", lake=lake)
    lochan("source", "add", folder / "source.yaml", lake=lake)
    lochan("dataset", "add", folder / "daily.yaml", lake=lake)
    lochan("backfill", "market/daily", "--start", "2023-01-01", "--end", END, lake=lake)
    yield folder, market_expected(rows)
    feed.stop()


@pytest.fixture
def lake(shop, tmp_path):
    shutil.copytree(shop[0] / "lake", tmp_path / "lake")
    return tmp_path / "lake"


def write(lake, *statements, inlined=0):
    """Statements of DuckDB in a connection of their own; rows up to `inlined` stay in the catalog."""
    duck = duckdb_connection()
    duck.execute(f"ATTACH 'ducklake:sqlite:{lake}/lake.db' AS lake (DATA_PATH '{lake}/', OVERRIDE_DATA_PATH true)")
    if inlined:
        duck.execute(f"CALL lake.set_option('data_inlining_row_limit', {inlined})")
    for statement in statements:
        duck.execute(statement)
    duck.close()


def duck_rows(lake, at=""):
    duck = duckdb_connection()
    duck.execute(lochan("sql", lake=lake).stdout)
    cursor = duck.execute(f"SELECT * FROM lake.market.daily {at} ORDER BY time, asset_id")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row)) for row in cursor.fetchall()]
    duck.close()
    return rows


def our_rows(lake, *args):
    rows = json_lines(lochan("scan", "market/daily", "--json", *args, lake=lake))
    for row in rows:
        row["time"] = datetime.date.fromisoformat(row["time"])
    return sorted(rows, key=lambda row: [row[k] for k in KEY])


def heal(lake):
    """A plain update asks for the days that DuckDB changed, says so, and then for nothing more."""
    done = lochan("update", "market/daily", "--end", END, lake=lake)
    assert "by another program (snapshot " in done.stderr and "asked again" in done.stderr
    done = lochan("update", "market/daily", "--end", END, lake=lake)
    assert "another program" not in done.stderr and "nothing to do" in (done.stdout + done.stderr).lower()


def journal_holds_it_all(lake):
    """Made again from the journal, the lake is what it was."""
    before = our_rows(lake)
    statements = ["SELECT * FROM ducklake_data_file ORDER BY 1", "SELECT * FROM ducklake_snapshot ORDER BY 1",
                  "SELECT * FROM ducklake_table_stats ORDER BY 1", "SELECT * FROM ducklake_column ORDER BY 1, 2, 3",
                  "SELECT * FROM lochan_commit ORDER BY 1"]

    def rows():
        connection = sqlite3.connect(lake / "lake.db")
        found = [connection.execute(s).fetchall() for s in statements]
        connection.close()
        return found

    kept = rows()
    lochan("rebuild", lake=lake)
    assert rows() == kept
    assert our_rows(lake) == before == duck_rows(lake)
    lochan("verify", "--deep", lake=lake)


def refused(lake, *words):
    """Scans, updates and verify name the table and say why; no row is shown."""
    for command in (["scan", "market/daily"], ["update", "market/daily", "--force", "--end", END]):
        done = lochan(*command, lake=lake, check=False)
        assert done.returncode == 2 and done.stdout == "", done.stdout
        assert "market.daily" in done.stderr and all(word in done.stderr for word in words), done.stderr
    done = lochan("verify", lake=lake, check=False)
    assert done.returncode == 6 and "market.daily" in done.stdout


LATER = "SELECT * REPLACE (time + INTERVAL 300 DAY AS time) FROM lake.market.daily WHERE month(time) = 1"


def test_inserted_rows_are_read(shop, lake):
    write(lake, f"INSERT INTO lake.market.daily {LATER}")
    rows = our_rows(lake)
    assert rows == duck_rows(lake) and len(rows) == len(shop[1]) + 31 * 4
    heal(lake)
    assert our_rows(lake) == rows
    journal_holds_it_all(lake)


def test_inserted_rows_beside_ours_are_merged(shop, lake):
    """Into a partition that has our files, with a key of ours: the next update brings the provider's rows back."""
    write(lake, "INSERT INTO lake.market.daily SELECT * REPLACE ('new' AS asset_id) FROM lake.market.daily WHERE "
                "month(time) = 2")
    assert our_rows(lake) == duck_rows(lake)
    heal(lake)
    assert [row for row in our_rows(lake) if row["asset_id"] != "new"] == shop[1]
    journal_holds_it_all(lake)


def test_a_dropped_month_comes_back(shop, lake):
    """A delete of whole files. Its rows are not counted any more, although DuckDB goes on counting them."""
    write(lake, "DELETE FROM lake.market.daily WHERE month(time) = 2")
    assert our_rows(lake) == [row for row in shop[1] if row["time"].month != 2]
    heal(lake)
    assert our_rows(lake) == shop[1]
    assert json_lines(lochan("status", "--json", lake=lake))[0]["rows"] == len(shop[1])
    journal_holds_it_all(lake)


def test_an_equal_answer_is_not_skipped_after_a_delete(shop, lake):
    """The hashes of the ledger say what the table held; what DuckDB deleted since is merged once more."""
    def update():
        lochan("update", "market/daily", "--end", END, "--force", lake=lake)
        return json_lines(lochan("runs", "market/daily", "--json", lake=lake))[0]

    assert update()["rows_unchanged"] == len(shop[1])
    write(lake, "DELETE FROM lake.market.daily WHERE month(time) = 2")
    healed = update()
    assert our_rows(lake) == shop[1]
    assert healed["rows_new"] == 28 * 4
    files = set(lake.rglob("*.parquet"))
    assert update()["rows_unchanged"] == len(shop[1])
    assert set(lake.rglob("*.parquet")) == files


def test_a_rewritten_delete_comes_back(shop, lake):
    write(lake, "DELETE FROM lake.market.daily WHERE time = '2023-02-03' AND asset_id = '000001.SZ'",
          "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    assert our_rows(lake) == duck_rows(lake) and len(our_rows(lake)) == len(shop[1]) - 1
    heal(lake)
    assert our_rows(lake) == shop[1]
    journal_holds_it_all(lake)


def test_added_and_dropped_columns(shop, lake):
    write(lake, "ALTER TABLE lake.market.daily ADD COLUMN extra INTEGER",
          f"INSERT INTO lake.market.daily {LATER.replace('time)', 'time, 7 AS extra)', 1)}",
          "ALTER TABLE lake.market.daily DROP COLUMN note")
    rows = our_rows(lake)
    assert rows == duck_rows(lake)
    assert {row["extra"] for row in rows} == {7, None} and "note" not in rows[0]
    journal_holds_it_all(lake)


@pytest.mark.parametrize("statement", ["DELETE FROM lake.market.daily WHERE time = '2023-02-03' AND asset_id = '000001.SZ'",
                                       "UPDATE lake.market.daily SET vol = 1 WHERE time = '2023-02-03'"])
def test_delete_files_are_refused(lake, statement):
    write(lake, statement)
    refused(lake, "delete files")


def test_inlined_rows_are_refused(lake):
    write(lake, f"INSERT INTO lake.market.daily {LATER} LIMIT 3", inlined=100)
    refused(lake, "inside the catalog")


def test_inlined_deletes_are_refused(lake):
    """They are noted in a table that nothing names; the files look untouched."""
    write(lake, "DELETE FROM lake.market.daily WHERE time = '2023-02-03' AND asset_id = '000001.SZ'", inlined=100)
    assert len(duck_rows(lake)) == 279
    refused(lake, "deletes", "inside the catalog")


def test_older_snapshots_stay_readable(shop, lake):
    newest = json_lines(lochan("snapshots", "--json", lake=lake))[0]["snapshot_id"]
    write(lake, "DELETE FROM lake.market.daily WHERE time = '2023-02-03' AND asset_id = '000001.SZ'", inlined=100)
    assert our_rows(lake, "--as-of", newest) == shop[1] == duck_rows(lake, f"AT (VERSION => {newest})")


def test_what_duckdb_refused_is_refused_no_more(shop, lake):
    """Rewritten by DuckDB itself, as the hint advises."""
    write(lake, "DELETE FROM lake.market.daily WHERE time < '2023-02-03' AND asset_id = '000001.SZ'")
    refused(lake, "delete files")
    write(lake, "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    assert our_rows(lake) == duck_rows(lake)
    heal(lake)
    assert our_rows(lake) == shop[1]
    journal_holds_it_all(lake)


def test_inlined_deletes_are_read_once_they_are_written_out(shop, lake):
    """As the hints advise: they become a delete file, and that a rewritten file."""
    write(lake, "DELETE FROM lake.market.daily WHERE time = '2023-02-03' AND asset_id = '000001.SZ'", inlined=100)
    refused(lake, "ducklake_flush_inlined_data")
    write(lake, "CALL ducklake_flush_inlined_data('lake')")
    refused(lake, "ducklake_rewrite_data_files")
    write(lake, "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    assert our_rows(lake) == duck_rows(lake) and len(our_rows(lake)) == len(shop[1]) - 1
    heal(lake)
    assert our_rows(lake) == shop[1]
    journal_holds_it_all(lake)
