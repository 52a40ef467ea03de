"""What lochan writes, read by others: DuckDB through DuckLake, Polars and pyarrow through the files; row for row."""
import csv
import io
import datetime

import polars
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
from conftest import ecb_rows, json_lines, lochan


def files(lake, name):
    return [lake / row["path"] for row in json_lines(lochan("files", name, "--json", lake=lake))]


def attach(duck, lake):
    """The statement that `lochan sql` prints, as it is."""
    statement = lochan("sql", lake=lake).stdout
    duck.execute(statement)
    return statement


def duck_rows(duck, sql):
    cursor = duck.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def test_interop__ecb_has_the_known_count(ecb_lake):
    expected = ecb_rows()
    assert len(expected) == 221_702
    assert len({row[0] for row in expected}) == 41
    status = json_lines(lochan("status", "--json", lake=ecb_lake))
    assert [row["rows"] for row in status] == [221_702]
    assert (status[0]["time_min"], status[0]["time_max"]) == ("1999-01-04", "2026-10-30")


def test_interop__duckdb_reads_ecb(ecb_lake, duck):
    attach(duck, ecb_lake)
    rows = duck.execute("SELECT asset_id, time, rate FROM lake.ecb.fx_daily ORDER BY time, asset_id").fetchall()
    assert rows == ecb_rows()
    assert duck.execute("SELECT DISTINCT source, source_dataset FROM lake.ecb.fx_daily").fetchall() == \
        [("ecb", "eurofxref-hist")]


def test_interop__duckdb_prunes_and_travels(ecb_lake, duck):
    attach(duck, ecb_lake)
    day = datetime.date(2026, 10, 30)
    rows = duck.execute("SELECT asset_id, rate FROM lake.ecb.fx_daily WHERE time = ? ORDER BY 1", [day]).fetchall()
    assert rows == [(name, rate) for name, when, rate in ecb_rows(start="2026-10-30")]
    snapshots = [row[0] for row in duck.execute("SELECT snapshot_id FROM lake.snapshots() ORDER BY 1").fetchall()]
    counts = {duck.execute(f"SELECT count(*) FROM lake.ecb.fx_daily AT (VERSION => {s})").fetchone()[0]
              for s in snapshots[-2:]}
    assert counts == {len(ecb_rows(end="2025-12-31")), 221_702}


def test_interop__polars_reads_ecb(ecb_lake):
    frame = polars.concat([polars.read_parquet(path, hive_partitioning=False) for path in files(ecb_lake, "ecb/fx_daily")])
    rows = frame.sort("time", "asset_id").select("asset_id", "time", "rate").rows()
    assert rows == ecb_rows()


def test_interop__pyarrow_reads_ecb(ecb_lake):
    table = pyarrow.concat_tables(pyarrow.parquet.read_table(path, page_checksum_verification=True)
                                  for path in files(ecb_lake, "ecb/fx_daily"))
    table = table.sort_by([("time", "ascending"), ("asset_id", "ascending")])
    rows = list(zip(*(table.column(name).to_pylist() for name in ("asset_id", "time", "rate"))))
    assert rows == ecb_rows()


def test_interop__scan_prints_the_same_rows(ecb_lake):
    done = lochan("scan", "ecb/fx_daily", "--columns", "asset_id,time,rate", "--format", "csv", lake=ecb_lake)
    reader = csv.reader(io.StringIO(done.stdout))
    assert next(reader) == ["asset_id", "time", "rate"]
    rows = [(name, datetime.date.fromisoformat(day), float(rate)) for name, day, rate in reader]
    assert rows == ecb_rows()


def test_interop__scan_where_agrees_with_python(ecb_lake):
    done = lochan("scan", "ecb/fx_daily", "--where",
                  "asset_id in ('USD', 'JPY') and time between '2008-09-01' and '2008-12-31' and not rate < 1.3",
                  "--format", "ndjson", lake=ecb_lake)
    expected = [row for row in ecb_rows("2008-09-01", "2008-12-31") if row[0] in ("USD", "JPY") and row[2] >= 1.3]
    got = [(row["asset_id"], datetime.date.fromisoformat(row["time"]), row["rate"]) for row in json_lines(done)]
    assert got == expected and 80 < len(got) < 170


def test_interop__market_with_nulls_and_text(market_lake, duck):
    lake, expected = market_lake
    attach(duck, lake)
    assert duck_rows(duck, "SELECT * FROM lake.market.daily ORDER BY time, asset_id") == expected
    paths = files(lake, "market/daily")
    assert {path.parent.name for path in paths} == {"month=01", "month=02", "month=03"}
    frame = polars.concat([polars.read_parquet(p, hive_partitioning=False) for p in paths]).sort("time", "asset_id")
    assert frame.to_dicts() == expected
    # a glob over the folders, hive keys and all, must not stumble over them either
    hive = polars.read_parquet(str(lake / "data/market/daily/**/*.parquet"), hive_partitioning=True)
    assert hive.select("year", "month").unique().height == 3
    dataset = pyarrow.dataset.dataset(lake / "data/market/daily", partitioning="hive")
    table = dataset.to_table(columns=list(expected[0])).sort_by([("time", "ascending"), ("asset_id", "ascending")])
    assert table.to_pylist() == expected


def test_interop__parquet_output_of_scan(market_lake, tmp_path):
    lake, expected = market_lake
    out = tmp_path / "out.parquet"
    lochan("scan", "market/daily", "--format", "parquet", "--output", out, lake=lake)
    assert pyarrow.parquet.read_table(out).to_pylist() == expected
    assert polars.read_parquet(out).to_dicts() == expected


def test_interop__field_ids_are_column_ids(market_lake, duck):
    lake, _ = market_lake
    attach(duck, lake)
    schema = pyarrow.parquet.ParquetFile(files(lake, "market/daily")[0]).schema_arrow
    ids = [int(field.metadata[b"PARQUET:field_id"]) for field in schema]
    assert len(set(ids)) == len(ids) and min(ids) >= 1


def test_interop__footer_names_its_place(market_lake):
    lake, _ = market_lake
    totals, ordinals = [], []
    for path in files(lake, "market/daily"):
        metadata = {key.decode(): value.decode() for key, value in pyarrow.parquet.ParquetFile(path).metadata.metadata.items()}
        assert metadata["lochan.format"] == "1"
        assert (metadata["lochan.schema"], metadata["lochan.table"]) == ("market", "daily")
        assert metadata["lochan.file_id"] == path.stem
        ordinals.append(int(metadata["lochan.commit_ordinal"]))
        totals += [int(metadata["lochan.commit_total"])] if "lochan.commit_total" in metadata else []
    assert sorted(ordinals) == [0, 1, 2] and totals == [3]
