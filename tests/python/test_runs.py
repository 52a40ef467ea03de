"""Run tables by the command: rows from Polars in, DuckDB (DuckLake attached), Polars and pyarrow read the same rows back."""
import json
import pathlib
import sqlite3

import polars as pl
import pyarrow.parquet as pq
import pytest

from conftest import json_lines, lochan


@pytest.fixture
def lake(tmp_path):
    lochan("init", lake=tmp_path / "lake")
    return tmp_path / "lake"


def append(lake, run, table, frame, *args, check=True):
    path = lake.parent / "frame.parquet"
    frame.write_parquet(path)
    return lochan("run", "append", run, table, path, *args, lake=lake, check=check)


def scan(lake, runs, table, *args):
    return json_lines(lochan("run", "scan", runs, table, "--json", *args, lake=lake))


def attach(duck, lake):
    duck.execute(lochan("sql", lake=lake).stdout)
    alias = [row[0] for row in duck.execute("SELECT database_name FROM duckdb_databases() WHERE type = 'ducklake'").fetchall()]
    return alias[0]


def exchange(payload, tick=5):
    return pl.DataFrame({"tick": [tick + i for i in range(len(payload))], "venue_id": "v", "token_id": "t",
                         "exchange_event_type": "trade", "additional_payload": payload})


def empty_structs(n, tick=1):
    frame = exchange([{"x": 1}] * n, tick)
    return frame.with_columns(additional_payload=pl.Series([{}] * n, dtype=pl.Struct([])))


def test_duckdb_reads_the_lake_before_and_after_a_struct_has_fields(lake, duck):
    append(lake, "a", "holdings", pl.DataFrame({"tick": [1, 250], "agent_id": "i", "token_id": "A", "quantity": [3, 4]}))
    arrow = exchange([{"x": 1}]).drop("additional_payload").to_arrow()
    append(lake, "a", "messages", messages([{"to": "all"}]))
    alias = attach(duck, lake)
    assert duck.execute(f"SELECT run_id, bucket, tick, quantity FROM {alias}.runs.holdings ORDER BY tick").fetchall() == \
        [("a", 0, 1, 3), ("a", 2, 250, 4)]
    assert len(arrow) == 1
    duck.execute(f"DETACH {alias}")
    append(lake, "a", "exchange", exchange([{"a": 1}, {"a": 2}]))
    append(lake, "b", "exchange", exchange([{"a": 2.5, "b": "x", "c": {"d": [1, 2]}}], 900))
    append(lake, "b", "exchange", exchange([{"b": "y"}], 901))
    alias = attach(duck, lake)
    got = duck.execute(f"SELECT run_id, bucket, tick, additional_payload FROM {alias}.runs.exchange ORDER BY tick").fetchall()
    assert got == [("a", 0, 5, {"a": 1.0, "b": None, "c": None}), ("a", 0, 6, {"a": 2.0, "b": None, "c": None}),
                   ("b", 9, 900, {"a": 2.5, "b": "x", "c": {"d": [1, 2]}}), ("b", 9, 901, {"a": None, "b": "y", "c": None})]
    # pruned to one run by its partition
    assert duck.execute(f"SELECT count(*) FROM {alias}.runs.exchange WHERE run_id = 'b'").fetchall() == [(2,)]
    assert duck.execute(f"SELECT count(*) FROM {alias}.runs.holdings").fetchall() == [(2,)]


def messages(audience, tick=1):
    n = len(audience)
    return pl.DataFrame({"tick": list(range(tick, tick + n)), "sender_agent_id": "s", "channel_name": "c", "visibility_scope": "public",
                         "audience": audience, "speech_act": "say", "topic_label": "t", "claims": [{"k": 1}] * n,
                         "style": [{"tone": "dry"}] * n})


def test_lists_of_structs_and_undeclared_numbers(lake, duck):
    frame = pl.DataFrame({"tick": [1, 2], "agent_id": "i", "chosen_action": [{"kind": "buy"}, {"kind": "sell"}],
                          "action_candidates": [[{"kind": "buy", "score": 1}, {"kind": "sell", "score": 2}], []],
                          "token_value_estimates": [{"A": 0.5}, {"A": 0.25}]})
    append(lake, "r", "decisions", frame)
    more = pl.DataFrame({"tick": [3], "agent_id": "j", "chosen_action": [{"kind": "hold"}],
                         "action_candidates": [[{"kind": "hold", "score": 0.5, "why": "no reason"}]],
                         "token_value_estimates": [{"B": 1.5}]})
    append(lake, "r", "decisions", more)
    rows = scan(lake, "r", "decisions")
    assert rows[0]["action_candidates"] == [{"kind": "buy", "score": 1, "why": None}, {"kind": "sell", "score": 2, "why": None}]
    assert rows[1]["action_candidates"] == []
    assert rows[2]["action_candidates"] == [{"kind": "hold", "score": 0.5, "why": "no reason"}]
    assert rows[2]["token_value_estimates"] == {"A": None, "B": 1.5}
    alias = attach(duck, lake)
    got = duck.execute(f"SELECT action_candidates FROM {alias}.runs.decisions ORDER BY tick").fetchall()
    assert [row[0] for row in got] == [row["action_candidates"] for row in rows]


def test_parts_are_plain_parquet(lake):
    frame = pl.DataFrame({"tick": [7, 199], "agent_id": "i", "token_id": "A", "quantity": [3, 4]})
    append(lake, "r", "holdings", frame, "--compression", "snappy")
    manifest = json_lines(lochan("run", "manifest", "r", "holdings", "--json", lake=lake))
    assert [row["bucket_id"] for row in manifest] == [0, 1]
    for row in manifest:
        assert row["state"] == "ready" and row["tick_min"] == row["part_tick_min"]
        path = lake / row["path"]
        assert path.parent.name == f"bucket={row['bucket_id']:06d}" and path.stat().st_size == row["bytes"]
        meta = pq.read_metadata(path).metadata
        assert (meta[b"lochan.table"], meta[b"lochan.run_id"]) == (b"holdings", b"r")
        assert b"lochan.schema_version" in meta
        table = pq.ParquetFile(path).read()
        assert table.column_names == ["run_id", "bucket", "tick", "agent_id", "token_id", "quantity"]
        assert pl.read_parquet(path, hive_partitioning=False)["bucket"].to_list() == [row["bucket_id"]]


def test_polars_types_and_void_fields(lake):
    frame = exchange([{"tags": None, "n": 1}]).with_columns(
        pl.col("venue_id").cast(pl.Categorical), pl.col("tick").cast(pl.Int16), quantity=pl.lit(2, pl.Int8),
        additional_payload=pl.struct(tags=pl.lit(None), n=pl.lit(1, pl.UInt8), day=pl.date(2024, 1, 31)))
    append(lake, "r", "exchange", frame)
    row = scan(lake, "r", "exchange")[0]
    assert row["additional_payload"] == {"n": 1, "day": "2024-01-31"} and row["quantity"] == 2 and row["venue_id"] == "v"
    bad = append(lake, "r", "exchange", frame.with_columns(additional_payload=pl.struct(tags=pl.lit([None], pl.List(pl.Null)))),
                 check=False)
    assert bad.returncode == 7 and "no known type" in bad.stderr


def test_user_table_with_declared_fields_and_json(lake, tmp_path):
    spec = tmp_path / "trades.yaml"
    spec.write_text("name: trades\ncolumns:\n  tick: i64\n  side: {type: str, values: [buy, sell]}\n"
                    "  lot: {type: struct, fields: {price: f64, size: i64}}\n  raw: {type: struct, open: json, nullable: true}\n")
    lochan("table", "add", spec, lake=lake)
    append(lake, "r", "trades", pl.DataFrame({"tick": [1], "side": "buy", "lot": [{"price": 1, "size": 2}], "raw": [{"a": [1, 2], "b": {"c": None}}]}),
           "--validate-rows")
    assert scan(lake, "r", "trades") == [{"bucket": 0, "tick": 1, "side": "buy", "lot": {"price": 1, "size": 2},
                                          "raw": '{"a":[1,2],"b":{"c":null}}'}]
    bad = append(lake, "r", "trades", pl.DataFrame({"tick": [1], "side": "buy", "lot": [{"price": 1, "cost": 2}]}), check=False)
    assert bad.returncode == 7 and "cost" in bad.stderr and "declared" in bad.stderr
    bad = append(lake, "r", "trades", pl.DataFrame({"tick": [1], "side": "buyy", "lot": [{"price": 1.0, "size": 2}]}),
                 "--validate-rows", check=False)
    assert bad.returncode == 7 and "did you mean buy?" in bad.stderr
    again = lochan("table", "add", spec, lake=lake, check=False)
    assert again.returncode == 4
    spec.write_text("name: trades\ncolumns:\n  tick: i64\n  side: i64\n")
    assert lochan("table", "add", spec, "--replace", lake=lake, check=False).returncode == 7


def test_lists_and_delete(lake):
    for run in ("a", "b"):
        append(lake, run, "holdings", pl.DataFrame({"tick": [1, 101], "agent_id": "i", "token_id": "A", "quantity": [3, 4]}))
    runs = json_lines(lochan("run", "list", "--json", lake=lake))
    assert [(r["run_id"], r["tables"], r["parts"], r["rows"]) for r in runs] == [("a", 1, 2, 2), ("b", 1, 2, 2)]
    tables = {r["table"]: r for r in json_lines(lochan("table", "list", "--json", lake=lake))}
    assert len(tables) == 8 and tables["holdings"]["rows"] == 4
    assert lochan("run", "delete", "a", lake=lake, check=False).returncode == 2
    assert json.loads(lochan("run", "delete", "a", "--yes", "--json", lake=lake).stdout) == {"run_id": "a", "parts": 2}
    assert [r["run_id"] for r in scan(lake, "all", "holdings")] == ["b", "b"]
    assert json.loads(lochan("verify", "--deep", "--json", lake=lake).stdout)["problems"] in (0, [])


def test_an_append_reads_no_other_part(lake):
    """The parts that are there may be gone for all an append cares."""
    frame = pl.DataFrame({"tick": [1], "agent_id": "i", "token_id": "A", "quantity": [3]})
    append(lake, "r", "holdings", frame)
    part = next(pathlib.Path(lake).glob("runs/r/tables/holdings/bucket=000000/*.parquet"))
    hidden = part.with_suffix(".hidden")
    part.rename(hidden)
    append(lake, "r", "holdings", frame)
    hidden.rename(part)
    assert len(scan(lake, "r", "holdings")) == 2
    with sqlite3.connect(f"file:{lake}/lake.db?mode=ro", uri=True) as db:
        kept = db.execute("SELECT DISTINCT column_id FROM ducklake_file_column_stats ORDER BY 1").fetchall()
    assert kept == [(1,), (2,), (3,)]  # run_id, bucket, tick
