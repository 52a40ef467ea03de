"""lochan.io.Dataset: append, scan, read, manifest, rebuild_manifest, and what goes beyond the seed."""
import datetime
import json
import os
import pathlib
import pickle
import warnings

import duckdb
import lochan
import lochan.io
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import duckdb_connection
from io_data import TABLES, TRADES, edges, exchange, files, holdings, settings
from lochan.io import Dataset, IoConfigError, IoError, IoManifestError, IoSchemaError, ManifestWarning, TableManifest, TableName, scan_runs, tables
from polars.testing import assert_frame_equal


@pytest.fixture
def run(tmp_path):
    return Dataset(settings(tmp_path / "out"), "run-1")


# --- the seed


def test_nothing_is_touched_before_the_first_append(tmp_path):
    run = Dataset(settings(tmp_path / "out"), "run-1")
    for name in TABLES:
        frame = run.read(name)
        assert frame.height == 0 and frame.columns[:2] == ["bucket", "tick"] and run.manifest(name) is None
        assert_frame_equal(run.scan(TableName(name)).collect(), frame)
    empty = run.append("holdings", holdings([]))
    assert empty == {"table": "holdings", "run_id": "run-1", "parts": [], "rows": 0, "buckets": []}
    assert scan_runs("holdings", settings=run.settings).collect().columns[0] == "run_id"
    assert not (tmp_path / "out").exists()
    assert repr(run) == f"Dataset(root_dir={str(tmp_path / 'out')!r}, run_id='run-1')"
    assert pickle.loads(pickle.dumps(run)).read("holdings").height == 0


def test_summary_and_layout(run, tmp_path):
    done = run.append(TableName.HOLDINGS, holdings([1, 99, 100, 12345]))
    assert list(done) == ["table", "run_id", "parts", "rows", "buckets"]
    assert (done["table"], done["run_id"], done["rows"], done["buckets"]) == ("holdings", "run-1", 4, [0, 1, 123])
    assert [(p["bucket_id"], p["rows"], p["tick_min"], p["tick_max"]) for p in done["parts"]] == \
        [(0, 2, 1, 99), (1, 1, 100, 100), (123, 1, 12345, 12345)]
    for part in done["parts"]:
        path = pathlib.Path(part["path"])
        folder = tmp_path / "out" / "runs" / "run-1" / "tables" / "holdings" / f"bucket={part['bucket_id']:06d}"
        assert list(part) == ["bucket_id", "path", "rows", "bytes", "tick_min", "tick_max"]
        assert path.parent == folder and path.name.startswith("part-") and path.stat().st_size == part["bytes"]
        meta = pq.read_metadata(path).metadata
        assert (meta[b"lochan.table"], meta[b"lochan.run_id"]) == (b"holdings", b"run-1") and meta[b"lochan.schema_version"]
        raw = pq.ParquetFile(path).read()
        assert raw["run_id"].unique().to_pylist() == ["run-1"] and raw.schema.field("bucket").type == pa.int64()
    assert run.read("holdings").columns == ["bucket", "tick", "agent_id", "token_id", "quantity"]


def test_reading_back(run):
    run.append("holdings", holdings(range(0, 500, 3)))
    run.append("holdings", holdings(range(1, 500, 3)))
    whole = run.read("holdings")
    assert whole.height == 334 and whole["bucket"].is_sorted() and set(whole["tick"]) == {t for t in range(500) if t % 3 != 2}
    for where in (None, {}, {"tick_min": None, "tick_max": None}, {"tick_min": 100}, {"tick_max": 99}, {"tick_min": 150, "tick_max": 150},
                  {"tick_min": 151, "tick_max": 153}, {"tick_min": -5, "tick_max": 2**70}, {"tick_min": -2**70}, {"tick_max": 499.0},
                  {"tick_min": np.int64(7)}):
        low = -1 if (where or {}).get("tick_min") is None else where["tick_min"]
        high = 10**9 if (where or {}).get("tick_max") is None else where["tick_max"]
        expected = whole.filter(pl.col("tick").is_between(int(max(low, -1)), int(min(high, 10**9))))
        assert_frame_equal(run.read("holdings", where), expected)
        assert_frame_equal(run.scan("holdings", where=where).collect(), expected)
        assert_frame_equal(run.read("holdings", where, limit=3), expected.head(3))
    for where in ({"tick_min": 1000}, {"tick_max": -1}, {"tick_min": 9, "tick_max": 8}, {"tick_min": 2**63}, {"tick_max": -2**80}):
        assert run.read("holdings", where).height == 0 and run.scan("holdings", where).collect().columns == whole.columns
    assert run.read("holdings", limit=0).height == 0 and run.read("holdings", limit=2**70).height == 334
    assert run.read("messages").height == 0 and run.manifest("messages") is None


@pytest.mark.parametrize("where", [{"tick": 1}, {"tick_min": "1"}, {"tick_min": 1.5}, {"tick_max": True}, {"tick_min": float("nan")},
                                   {"tick_max": float("inf")}, {"tick_min": [1]}])
def test_bounds_that_make_no_sense(run, where):
    for read in (run.read, run.scan):
        with pytest.raises(IoSchemaError, match="where"):
            read("holdings", where)
    for limit in (-1, 1.5, "3", True):
        with pytest.raises(IoSchemaError, match="limit"):
            run.read("holdings", limit=limit)


def test_manifest(run):
    run.append("holdings", holdings([1, 150]))
    run.append("holdings", holdings([2]))
    manifest = run.manifest(TableName.HOLDINGS)
    assert isinstance(manifest, TableManifest) and list(manifest.partitions) == ["000000", "000001"]
    assert (manifest.table, manifest.version) == ("holdings", 1) and manifest.created_at <= manifest.updated_at
    first = manifest.partitions["000000"]
    assert (first.bucket_id, first.state, first.tick_min, first.tick_max, first.row_count, len(first.parts)) == (0, "ready", 1, 2, 2, 2)
    assert first.byte_size == sum(part.bytes for part in first.parts) and [part.rows for part in first.parts] == [1, 1]
    folder = pathlib.Path(run.settings.root_dir, "runs/run-1/tables/holdings/bucket=000000")
    assert {part.path for part in first.parts} == set(os.listdir(folder))
    assert datetime.datetime.fromisoformat(first.parts[0].created_at).tzinfo is not None
    obj = manifest.to_json_obj()
    assert json.loads(json.dumps(obj)) == obj and list(obj) == ["table", "version", "created_at", "updated_at", "partitions"]
    assert list(obj["partitions"]["000000"]) == ["bucket_id", "state", "tick_min", "tick_max", "row_count", "byte_size", "parts"]
    assert list(obj["partitions"]["000000"]["parts"][0]) == ["path", "rows", "bytes", "tick_min", "tick_max", "created_at"]
    assert manifest["partitions"]["000001"]["parts"][0]["tick_min"] == 150 and dict(first.parts[0]) == obj["partitions"]["000000"]["parts"][0]
    assert repr(manifest).startswith("holdings: 3 rows, ") and "3 parts in 2 buckets" in repr(manifest) and "<table>" in manifest._repr_html_()


@pytest.mark.parametrize("make, column, row", [
    (lambda f: f.with_columns(tick=pl.lit(-1)), "tick", 0), (lambda f: f.with_columns(tick=pl.lit(None)), "tick", 0),
    (lambda f: f.with_columns(tick=pl.lit(None, pl.Int64)), "tick", 0), (lambda f: f.with_columns(tick=pl.col("tick") + 0.5), "tick", 0),
    (lambda f: f.with_columns(tick=pl.lit("x")), "tick", 0), (lambda f: f.drop("tick"), None, None),
    (lambda f: f.drop("agent_id"), "agent_id", None), (lambda f: f.with_columns(extra=1), "extra", None),
    (lambda f: f.with_columns(run_id=pl.lit("x")), None, None), (lambda f: f.with_columns(quantity=pl.Series([1.0, 2.0, 3.5])), "quantity", 2),
    (lambda f: f.with_columns(agent_id=pl.Series(["a", None, "b"])), "agent_id", 1),
    (lambda f: f.with_columns(quantity=pl.lit(2**64 - 1, pl.UInt64)), "quantity", 0),
    (lambda f: f.with_columns(tick=pl.lit(2**63, pl.UInt64)), "tick", 0), (lambda f: f.with_columns(Tick=1), "Tick", None),
    (lambda f: f.with_columns(agent_id=pl.struct(a=1)), "agent_id", None)])
def test_rows_that_are_refused(run, make, column, row):
    run.append("holdings", holdings([1]))
    before = files(pathlib.Path(run.settings.root_dir, "runs"))
    with pytest.raises(IoSchemaError) as caught:
        run.append("holdings", make(holdings([5, 6, 7])))
    assert isinstance(caught.value, ValueError) and (column is None or caught.value.column == column)
    assert row is None or caught.value.row == row
    assert files(pathlib.Path(run.settings.root_dir, "runs")) == before and run.read("holdings").height == 1


@pytest.mark.parametrize("run_id", ["", "a/b", "..", "a..b", "../x", "a b", "ä", "x" * 200, "-x", ".x", "a\nb", "a\0b", "a%2fb"])
def test_run_ids_that_are_refused(tmp_path, run_id):
    run = Dataset(settings(tmp_path / "out"), run_id)
    for work in (lambda: run.append("holdings", holdings([1])), lambda: run.append("holdings", holdings([])), lambda: run.read("holdings"),
                 lambda: run.scan("holdings"), lambda: run.manifest("holdings"), lambda: run.rebuild_manifest("holdings"),
                 lambda: run.appender("holdings"), lambda: run.describe({})):
        with pytest.raises(ValueError) as caught:
            work()
        assert "\0" in run_id or isinstance(caught.value, IoSchemaError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("table", ["", "holding", "../holdings", "runs", "HOLDINGS", "a\0b", "x" * 1000])
def test_tables_that_there_are_not(run, tmp_path, table):
    for made in (False, True):
        for work in (lambda: run.append(table, holdings([1])), lambda: run.append(table, holdings([])), lambda: run.read(table),
                     lambda: run.scan(table), lambda: run.manifest(table), lambda: run.appender(table),
                     lambda: scan_runs(table, settings=run.settings)):
            with pytest.raises(ValueError) as caught:
                work()
            assert "\0" in table or isinstance(caught.value, IoSchemaError)
        if not made:
            assert not (tmp_path / "out").exists()
            run.append("holdings", holdings([1]))


def test_validate_schema_off_lets_columns_in_and_out(run):
    frame = holdings([1, 2]).drop("agent_id").with_columns(mood=pl.Series(["x", None]))
    with pytest.raises(IoSchemaError):
        run.append("holdings", frame)
    run.append("holdings", frame, validate_schema=False)
    got = run.read("holdings")
    assert got["agent_id"].to_list() == [None, None] and got["mood"].to_list() == ["x", None]
    with pytest.raises(IoSchemaError, match="tick"):
        run.append("holdings", frame.drop("tick"), validate_schema=False)
    run.append("holdings", holdings([3]))
    assert run.read("holdings")["mood"].to_list() == ["x", None, None]


def test_strict_schema_off_stores_what_is_not_declared(tmp_path):
    run = Dataset(settings(tmp_path, strict_schema=False), "r")
    run.append("holdings", holdings([1]).with_columns(mood=pl.lit("x")))
    assert run.read("holdings")["mood"].to_list() == ["x"]
    with pytest.raises(IoSchemaError):
        run.append("holdings", holdings([1]).drop("agent_id"))


def test_validate_rows(run):
    good = edges(["self_to_object", "object_to_object"], subject_id=["s", "s"], token_id=["t", None], object_id=[None, "o"])
    run.append("identity_edges", good, validate_rows=True)
    bad = good.with_columns(object_id=pl.lit(None, pl.String))
    run.append("identity_edges", bad)
    with pytest.raises(IoSchemaError, match="object_id") as caught:
        run.append("identity_edges", bad, validate_rows=True)
    assert caught.value.row == 1
    with pytest.raises(IoSchemaError, match="self_to_objec") as caught:
        run.append("identity_edges", good.with_columns(edge_kind=pl.Series(["self_to_object", "self_to_objec"])), validate_rows=True)
    assert (caught.value.column, caught.value.row) == ("edge_kind", 1)


def test_bucket_is_computed_anew_and_two_sizes_are_refused(tmp_path):
    run = Dataset(settings(tmp_path, tick_bucket_size=10), "r")
    run.append("holdings", holdings([25]).with_columns(bucket=pl.lit(99)))
    assert run.read("holdings")["bucket"].to_list() == [2]
    with pytest.raises(IoSchemaError, match="10"):
        Dataset(settings(tmp_path), "r").append("holdings", holdings([1]))
    Dataset(settings(tmp_path), "s").append("holdings", holdings([25]))
    assert Dataset(settings(tmp_path), "r").read("holdings", {"tick_min": 25, "tick_max": 25}).height == 1
    many = scan_runs("holdings", where={"tick_min": 20, "tick_max": 29}, settings=run.settings).collect()
    assert many.select("run_id", "bucket", "tick").rows() == [("r", 2, 25), ("s", 0, 25)]


@pytest.mark.parametrize("compression", ["zstd", "lz4", "snappy"])
def test_compressions_and_row_groups(tmp_path, compression):
    run = Dataset(settings(tmp_path, compression=compression, row_group_size=100, tick_bucket_size=10**6), "r")
    path = run.append("holdings", holdings(range(1000)))["parts"][0]["path"]
    meta = pq.read_metadata(path)
    assert meta.num_row_groups == 10 and meta.row_group(0).column(2).compression.lower().startswith(compression)
    assert_frame_equal(run.read("holdings").drop("bucket"), holdings(range(1000)))
    assert duckdb.sql(f"SELECT sum(tick) FROM '{path}'").fetchone() == (499500,)


def test_ticks_at_the_edges(run):
    edge = [0, 2**31, 2**53, 2**63 - 1]
    done = run.append("holdings", holdings(edge))
    assert done["buckets"] == [t // 100 for t in edge] and run.read("holdings")["tick"].to_list() == edge
    assert run.read("holdings", {"tick_min": 2**63 - 1, "tick_max": 2**63 - 1})["tick"].to_list() == [2**63 - 1]
    assert run.read("holdings", {"tick_min": 2**53})["tick"].to_list() == edge[2:]
    assert run.scan("holdings").filter(pl.col("tick") > 2**53).collect().height == 1
    assert list(run.manifest("holdings").partitions)[-1] == str((2**63 - 1) // 100)
    for tick in (-1, -2**63):
        with pytest.raises(IoSchemaError, match="negative"):
            run.append("holdings", holdings([tick]))
    run.append("holdings", holdings([5]).with_columns(tick=pl.col("tick").cast(pl.Float64)))
    assert run.rebuild_manifest("holdings").row_count == 5


# --- structs


def test_structs_grow(run):
    empty = exchange([{"x": 1}]).with_columns(additional_payload=pl.Series([{}], dtype=pl.Struct([])))
    run.append("exchange", empty)
    assert run.read("exchange")["additional_payload"].to_list() == [{}]
    connection = duckdb_connection()
    attach = lochan.DataLake.open(run.settings.root_dir).sql()
    connection.execute(attach)
    assert connection.execute(f"SELECT count(*) FROM {attached(connection)}.runs.exchange").fetchone() == (1,)
    connection.close()
    run.append("exchange", exchange([{"a": 1}], 6))
    run.append("exchange", exchange([{"a": 2.5, "b": {"c": ["x"]}}], 7))
    run.append("exchange", empty.with_columns(tick=pl.lit(8)))
    got = run.read("exchange")["additional_payload"].to_list()
    none = {"a": None, "b": {"c": None}}
    assert [value["a"] for value in got] == [None, 1.0, 2.5, None] and got[2]["b"] == {"c": ["x"]} and none.keys() == got[0].keys()
    assert run.scan("exchange").select(pl.col("additional_payload").struct.field("a")).collect()["a"].to_list() == [None, 1.0, 2.5, None]
    with pytest.raises(IoSchemaError, match="run-1") as caught:
        run.append("exchange", exchange([{"a": "text"}], 9))
    assert "exchange" in str(caught.value) and "a" in str(caught.value)
    connection = duckdb_connection()
    connection.execute(attach)
    assert connection.execute(f"SELECT additional_payload.a FROM {attached(connection)}.runs.exchange ORDER BY tick").fetchall() == \
        [(None,), (1.0,), (2.5,), (None,)]
    connection.close()


def attached(connection):
    return connection.execute("SELECT database_name FROM duckdb_databases() WHERE type = 'ducklake'").fetchone()[0]


# --- who brings rows


def test_rows_of_every_library(run):
    frame = holdings([1, 2, 3])
    for rows in (frame, frame.to_arrow(), frame.to_pandas(), pa.RecordBatchReader.from_stream(frame), duckdb.sql("SELECT * FROM frame"),
                 frame.to_arrow().to_batches()[0], pl.concat([frame, frame.clear()], rechunk=False)):
        assert run.append("holdings", rows)["rows"] == 3
    assert isinstance(run.append("holdings", pd.DataFrame({"tick": [4], "agent_id": "a", "token_id": "t", "quantity": [1]})), dict)
    assert run.read("holdings").height == 22
    for rows in (None, 5, [{"tick": 1}], {"tick": [1]}, frame.lazy()):
        with pytest.raises(TypeError):
            run.append("holdings", rows)
    empty_stream = pa.RecordBatchReader.from_batches(frame.to_arrow().schema, [])
    assert run.append("holdings", empty_stream)["rows"] == 0


def test_who_takes_rows(run):
    run.append("holdings", holdings(range(300)))
    stream = run.stream("holdings", {"tick_min": 10, "tick_max": 109}, columns=["tick", "quantity"], filter="quantity >= 20", limit=50)
    assert stream.to_arrow().num_rows == len(stream.rows()) == stream.to_pandas().shape[0] == stream.lazy().collect().height == 50
    assert stream.to_duckdb().aggregate("min(tick)").fetchone() == (20,) and stream.rows()[0] == {"tick": 20, "quantity": 20}
    assert [batch.num_rows for batch in stream.batches(rows=20)][0] == 20 and "run run-1, holdings, tick_min 10" in repr(stream)
    with pytest.raises(IoSchemaError, match="quantit"):
        run.stream("holdings", columns=["quantit"])


# --- tables


def test_tables(run, tmp_path):
    assert [row["table"] for row in tables.list(run.settings).rows()] == sorted(TABLES) and not (tmp_path / "out").exists()
    assert "edge_kind" in tables.get("identity_edges", run.settings)
    assert {row["column"]: row["type"] for row in tables.columns(TableName.HOLDINGS, run.settings).rows()}["quantity"] == "i64"
    with pytest.raises(IoSchemaError, match="trades"):
        run.append("trades", holdings([1]))
    tables.add(TRADES, run.settings)
    with pytest.raises(IoSchemaError, match="trades"):
        tables.add(TRADES, run.settings)
    tables.add(TRADES, run.settings, replace=True)
    day = datetime.date(2026, 1, 2)
    run.append("trades", pl.DataFrame({"tick": [1], "side": "sell", "price": 1.5, "day": day, "lot": [{"size": 1, "unit": "kg"}]}), validate_rows=True)
    assert run.read("trades").to_dicts() == [{"bucket": 0, "tick": 1, "side": "sell", "price": 1.5, "day": day, "note": None,
                                              "lot": {"size": 1, "unit": "kg"}}]
    for bad, told in ((pl.DataFrame({"tick": [1], "side": "hold"}), "side.*hold"), (pl.DataFrame({"tick": [1], "side": "sell"}), "price")):
        with pytest.raises(IoSchemaError, match=told) as caught:
            run.append("trades", bad, validate_rows=True)
        assert caught.value.table == "trades" and caught.value.row == 0
    with pytest.raises(IoSchemaError) as caught:
        tables.add("name: x\ncolumns: {tick: i65}\n", run.settings)
    assert caught.value.line == 2
    path = tmp_path / "more.yaml"
    path.write_text(TRADES.replace("trades", "more"))
    tables.add(path, run.settings)
    tables.add(str(path), run.settings, replace=True)
    assert {"more", "trades"} < {row["table"] for row in tables.list(run.settings).rows()}
    assert tables.list(run.settings).rows()[-1]["added"] is True


# --- many runs


def test_many_runs(tmp_path):
    s = settings(tmp_path)
    for i in range(5):
        Dataset(s, f"r{i}").append("holdings", holdings(range(i * 100, i * 100 + 50)))
    whole = scan_runs("holdings", settings=s)
    assert whole.collect().height == 250 and whole.collect().columns[:3] == ["run_id", "bucket", "tick"]
    got = scan_runs("holdings", ["r1", "r3", "r1", "none"], settings=s).collect()
    assert got.group_by("run_id").len().sort("run_id").rows() == [("r1", 50), ("r3", 50)]
    assert scan_runs("holdings", [], settings=s).collect().height == 0
    assert whole.filter(pl.col("run_id") == "r2").select("tick").collect()["tick"].to_list() == list(range(200, 250))
    for bad in (["../x"], "r1"):
        with pytest.raises((IoSchemaError, TypeError)):
            scan_runs("holdings", bad, settings=s)
    with lochan.DataLake.open(tmp_path) as lake:
        assert [row["run_id"] for row in lake.runs.list().rows()] == [f"r{i}" for i in range(5)]
        assert lake.runs.scan("holdings", ["r2"], {"tick_max": 209}, columns=["tick"], filter="tick > 203").rows() == \
            [{"tick": t} for t in range(204, 210)]
        assert lake.runs.delete("r4") == 1 and lake.runs.dataset("r0", tick_bucket_size=100).read("holdings").height == 50
        assert "r3" in repr(lake.runs) and "<table>" in lake.runs._repr_html_() and "holdings" in repr(lake.tables)
        with pytest.raises(lochan.NotFoundError):
            lake.runs.delete("r4")
    assert whole.collect().height == 250  # the snapshot it began with
    assert scan_runs("holdings", settings=s).collect().height == 200 and Dataset(s, "r4").manifest("holdings") is None
    assert Dataset(s, "r3").delete() == 1
    with pytest.raises(IoManifestError):
        Dataset(s, "r3").delete()


def test_run_information(tmp_path):
    run = Dataset(settings(tmp_path / "out"), "r")
    with pytest.raises(IoManifestError, match="r"):
        run.info()
    run.describe({"agents": 10, "nested": {"a": [1, None]}}, seed=42, code_version="abc")
    run.append("holdings", holdings([1, 150]))
    info = run.info()
    assert info["parameters"] == {"agents": 10, "nested": {"a": [1, None]}} and info["seed"] == "42" and info["code_version"] == "abc"
    assert info["tables"][0]["table"] == "holdings" and len(info["tables"][0]["parts"]) == 2
    run.describe(code_version="def")
    assert run.info()["seed"] == "42" and run.info()["code_version"] == "def"
    with pytest.raises(IoSchemaError, match="parameters"):
        run.describe({"x": float("nan")})
    with lochan.DataLake.open(tmp_path / "out") as lake:
        assert lake.runs.get("r")["run_id"] == "r"


# --- snapshots


def test_a_scan_stays_with_its_snapshot(run):
    before = run.scan("holdings")
    run.append("holdings", holdings([1]))
    pinned = run.scan("holdings")
    assert before.collect().height == 0
    run.append("holdings", holdings([2]))
    assert pinned.collect()["tick"].to_list() == [1] and run.read("holdings").height == 2
    assert run.stream("holdings", as_of=run.stream("holdings").snapshot_id - 1).rows()[0]["tick"] == 1


def test_readers_see_each_append_at_once(tmp_path):
    writer, reader = (Dataset(settings(tmp_path, write_manifest_every_n=100), "r") for _ in range(2))
    for i in range(1, 6):
        writer.append("holdings", holdings([i]))
        assert reader.read("holdings").height == i == reader.manifest("holdings").row_count


def test_a_token_makes_an_append_safe_to_repeat(run):
    assert run.append_once("holdings", holdings([1]), "day-1")["rows"] == 1
    assert run.append_once("holdings", holdings([1]), "day-1")["rows"] == 0
    assert run.read("holdings").height == 1
    with lochan.DataLake.open(run.settings.root_dir) as lake:
        assert lake.commit_status("day-1") and not lake.commit_status("day-2")


def test_durability_normal(tmp_path):
    run = Dataset(settings(tmp_path, durability="normal"), "r")
    for i in range(5):
        run.append("holdings", holdings([i]))
    assert Dataset(settings(tmp_path), "r").read("holdings")["tick"].to_list() == list(range(5))
    Dataset(settings(tmp_path), "r").append("holdings", holdings([5]))
    with lochan.DataLake.open(tmp_path) as lake:
        assert lake.verify(deep=True)


# --- appenders


def test_an_appender_flushes_by_threshold_and_at_the_end(run):
    with run.appender("holdings", rows=100) as appender:
        for i in range(0, 250, 10):
            appender.append(holdings(range(i, i + 10)))
            assert run.read("holdings").height == (i + 10) // 100 * 100
        assert appender.buffered_rows == 50 and appender.buffered_bytes > 0 and "50 rows" in repr(appender)
        assert appender.flush() == 50 and appender.flush() == 0
        appender.append(holdings([1000]))
        appender.append(holdings([]))
    assert appender.closed and run.read("holdings").height == 251
    assert len(run.manifest("holdings").partitions["000000"].parts) == 1
    appender.close()
    for work in (appender.flush, lambda: appender.append(holdings([1]))):
        with pytest.raises(ValueError, match="closed"):
            work()


def test_an_appender_flushes_by_ticks(run):
    with run.appender("holdings", ticks=10) as appender:
        for i in range(25):
            appender.append(holdings([i]))
        assert 10 <= run.read("holdings").height < 25
    assert run.read("holdings").height == 25


def test_an_appender_refuses_at_once_and_keeps_the_rest(run):
    with pytest.raises(KeyError):
        with run.appender("holdings") as appender:
            appender.append(holdings([1]))
            for bad in (holdings([-1]), holdings([5]).with_columns(x=1)):
                with pytest.raises(IoSchemaError) as caught:
                    appender.append(bad)
                assert not caught.value.kept
            assert appender.buffered_rows == 1
            raise KeyError
    assert run.read("holdings")["tick"].to_list() == [1]
    appender = run.appender("holdings")
    appender.append(holdings([2]))
    appender.discard()
    assert run.read("holdings").height == 1
    for wrong in ({"rows": 0}, {"bytes": -1}, {"ticks": 1.5}, {"rows": True}, {"rows": 2**63}):
        with pytest.raises(IoConfigError):
            run.appender("holdings", **wrong)


def test_a_forgotten_appender_is_flushed_with_a_warning(run):
    appender = run.appender("holdings")
    appender.append(holdings([2]))
    with pytest.warns(ResourceWarning, match="not closed"):
        del appender
    assert run.read("holdings").height == 1


# --- what is lost, and made again


def lose(run, *suffixes):
    for suffix in suffixes:
        pathlib.Path(run.settings.root_dir, f"lake.db{suffix}").unlink(missing_ok=True)


def test_reading_without_lake_db(run):
    tables.add(TRADES, run.settings)
    run.append("holdings", holdings([1, 150]))
    run.append("exchange", exchange([{"a": 1}]))
    run.append("trades", pl.DataFrame({"tick": [1], "side": "buy"}))
    root = pathlib.Path(run.settings.root_dir)
    lose(run, "", "-wal", "-shm")
    before = [file for file in files(root) if not file[0].startswith("locks/")]  # a lake that is closed lets its lock go
    with pytest.warns(ManifestWarning, match="rebuild_manifest"):
        assert run.read("holdings")["tick"].to_list() == [1, 150]
    with pytest.warns(ManifestWarning, match="rebuild_manifest"):
        assert run.scan("exchange").collect()["additional_payload"].to_list() == [{"a": 1}]
    with pytest.warns(ManifestWarning):
        assert run.read("trades").height == 1 and run.read("messages").height == 0 and run.manifest("holdings").row_count == 2
    with pytest.warns(ManifestWarning), pytest.raises(IoManifestError, match="rebuild_manifest"):
        run.append("holdings", holdings([5]))
    assert [file for file in files(root) if not file[0].startswith("locks/")] == before
    assert run.rebuild_manifest("holdings").row_count == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.append("holdings", holdings([5]))
        assert run.read("holdings").height == 3 and run.read("trades").height == 1 and run.read("exchange").height == 1


def test_a_damaged_lake_db_is_told(run):
    run.append("holdings", holdings([1]))
    path = pathlib.Path(run.settings.root_dir, "lake.db")
    lose(run, "-wal", "-shm")
    path.unlink()
    path.write_bytes(b"no database" * 1000)
    for work in (lambda: run.read("holdings"), lambda: run.scan("holdings"), lambda: run.manifest("holdings"),
                 lambda: run.append("holdings", holdings([2]))):
        with pytest.raises(IoManifestError, match="rebuild_manifest"):
            work()
    assert run.rebuild_manifest("holdings").row_count == 1
    run.append("holdings", holdings([2]))
    assert run.read("holdings").height == 2


def test_rebuild_of_a_whole_table_changes_nothing(run):
    run.append("holdings", holdings(range(250)))
    before = run.manifest("holdings")
    assert run.rebuild_manifest("holdings") == before and run.read("holdings").height == 250
    assert run.rebuild_manifest("messages").partitions == {} and run.manifest("messages") is None


def test_rebuild_leaves_damaged_parts_out_and_names_them(run):
    done = run.append("holdings", holdings([1, 150, 250]))
    path = pathlib.Path(done["parts"][1]["path"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IoError, match="part-"):
        run.read("holdings")
    with pytest.warns(ManifestWarning, match=path.name):
        manifest = run.rebuild_manifest("holdings")
    assert list(manifest.partitions) == ["000000", "000002"] and run.read("holdings")["tick"].to_list() == [1, 250]


def test_a_tree_of_the_original_is_taken_over(tmp_path):
    """Parts and manifest.json as crv.io writes them."""
    folder = tmp_path / "runs" / "old" / "tables" / "holdings"
    partitions = {}
    for bucket in (0, 3):
        frame = holdings(range(bucket * 100, bucket * 100 + 10)).select(pl.lit(bucket).alias("bucket"), pl.all())
        target = folder / f"bucket={bucket:06d}"
        target.mkdir(parents=True)
        table = frame.to_arrow().replace_schema_metadata({"crv_schema_version": "0.1@2025-09-20", "crv_table_name": "holdings", "crv_run_id": "old"})
        pq.write_table(table, target / f"part-{bucket:032x}.parquet", compression="zstd")
        partitions[f"{bucket:06d}"] = {
            "bucket_id": bucket, "state": "ready", "tick_min": bucket * 100, "tick_max": bucket * 100 + 9, "row_count": 10, "byte_size": 1,
            "parts": [{"path": f"part-{bucket:032x}.parquet", "rows": 10, "bytes": 1, "tick_min": bucket * 100, "tick_max": bucket * 100 + 9,
                       "created_at": "2025-01-01T00:00:00+00:00"}]}
    (folder / "manifest.json").write_text(json.dumps({"table": "holdings", "version": 1, "created_at": "2025-01-01T00:00:00+00:00",
                                                      "updated_at": "2025-01-01T00:00:00+00:00", "partitions": partitions}))
    run = Dataset(settings(tmp_path), "old")
    for work in (lambda: run.read("holdings"), lambda: run.append("holdings", holdings([1]))):
        with pytest.raises(IoManifestError, match="rebuild_manifest"):
            work()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ManifestWarning)
        manifest = run.rebuild_manifest("holdings")
    assert manifest.row_count == 20 and run.read("holdings")["tick"].to_list() == [*range(10), *range(300, 310)]
    run.append("holdings", holdings([1]))
    assert run.read("holdings").height == 21
