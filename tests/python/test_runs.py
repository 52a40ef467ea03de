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


# ---- rebuild ----

def holdings(ticks, quantity=1):
    return pl.DataFrame({"tick": ticks, "agent_id": "i", "token_id": "A", "quantity": quantity})


def rebuild(lake, run="r", table="holdings", *args):
    return json.loads(lochan("run", "rebuild", run, table, "--json", *args, lake=lake).stdout)


def parts(lake, run="r", table="holdings"):
    return sorted(pathlib.Path(lake).glob(f"runs/{run}/tables/{table}/bucket=*/part-*.parquet"))


def test_rebuild_makes_the_whole_lake_again_from_the_journal(lake):
    append(lake, "r", "holdings", holdings([1, 150, 20]))
    append(lake, "r", "exchange", exchange([{"a": 1}]))
    before = [scan(lake, "r", "holdings"), scan(lake, "r", "exchange")]
    for name in ("lake.db", "lake.db-wal", "lake.db-shm"):
        (lake / name).unlink(missing_ok=True)
    read = lochan("run", "scan", "r", "holdings", lake=lake)
    assert "rebuild_manifest" in read.stderr and len(read.stdout.splitlines()) >= 3 and not (lake / "lake.db").exists()
    report = rebuild(lake)
    assert report["lake_rebuilt"] and report["records"] > 0 and report["parts_whole"] == 2 and report["rows"] == 3
    assert [scan(lake, "r", "holdings"), scan(lake, "r", "exchange")] == before
    again = rebuild(lake)
    assert not again["lake_rebuilt"] and again["parts_whole"] == 2
    append(lake, "r", "exchange", exchange([{"a": 2.5}]))
    (lake / "lake.db").write_bytes(b"damaged" * 1000)
    assert rebuild(lake)["lake_rebuilt"]
    assert len(scan(lake, "r", "exchange")) == 2 and list(lake.glob("lake.db.damaged-*"))
    lochan("verify", "--deep", lake=lake)


def test_repair_looks_only_at_what_is_named(lake):
    append(lake, "r", "holdings", holdings([1, 150]))
    part = parts(lake)[0]
    part.write_bytes(part.read_bytes()[:-100])
    for named in (["other"], ["--source", "other"]):
        assert part.name not in lochan("repair", "--plan", *named, lake=lake, check=False).stdout
    for named in (["runs"], ["--source", "runs"], []):
        assert part.name in lochan("repair", "--plan", *named, lake=lake, check=False).stdout


def test_rebuild_takes_damaged_parts_out_and_ignores_what_was_never_committed(lake, tmp_path):
    append(lake, "r", "holdings", holdings([1, 150, 250]))
    first, second, third = parts(lake)
    data = bytearray(second.read_bytes())
    ticks = pq.read_metadata(second).row_group(0).column(2)
    data[ticks.data_page_offset + ticks.total_compressed_size - 1] ^= 0xff
    second.write_bytes(data)
    third.unlink()
    (first.parent / "copy-of.parquet").write_bytes(first.read_bytes())
    other = tmp_path / "other"
    lochan("init", lake=other)
    append(other, "r", "holdings", holdings([5]))
    (lake / parts(other)[0].relative_to(other)).write_bytes(parts(other)[0].read_bytes())
    (first.parent / "part-nonsense.parquet").write_bytes(b"PAR1 nonsense")
    report = rebuild(lake)
    assert (report["parts_whole"], report["parts_damaged"], report["parts_ignored"], report["rows"]) == (1, 3, 2, 1)
    assert [row["tick"] for row in scan(lake, "r", "holdings")] == [1]
    assert rebuild(lake)["parts_whole"] == 1


def test_rebuild_takes_over_a_tree_without_a_catalog(lake, tmp_path):
    append(lake, "r", "holdings", holdings([1, 15, 250]), "--tick-bucket-size", "10")
    append(lake, "r", "holdings", holdings([2, 33], 7))
    append(lake, "r", "exchange", exchange([{"a": 1}]))
    tree = tmp_path / "tree"
    for part in parts(lake) + parts(lake, table="exchange"):
        target = tree / part.relative_to(lake)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(part.read_bytes())
    half = [p for p in parts(tree) if p.parent.name == "bucket=000003"]
    half[0].unlink()  # of the second append
    report = rebuild(tree)
    assert report["lake_rebuilt"] and report["records"] == 0
    assert (report["parts_adopted"], report["parts_ignored"], report["rows"]) == (3, 1, 3)
    assert [(row["bucket"], row["tick"]) for row in scan(tree, "r", "holdings")] == [(0, 1), (1, 15), (25, 250)]
    assert rebuild(tree)["parts_adopted"] == 0 and len(scan(tree, "r", "holdings")) == 3
    assert rebuild(tree, "r", "exchange")["parts_adopted"] == 1
    assert scan(tree, "r", "exchange")[0]["additional_payload"] == {"a": 1}
    lochan("verify", "--deep", lake=tree)


def test_rebuild_takes_over_the_python_original(tmp_path):
    tree = tmp_path / "out"
    table = tree / "runs/r/tables/holdings"
    names = []
    for bucket, ticks in ((0, [1, 2]), (3, [350]), (4, [400])):
        folder = table / f"bucket={bucket:06d}"
        folder.mkdir(parents=True)
        arrow = holdings(ticks).with_columns(bucket=pl.lit(bucket, pl.Int64)).to_arrow()
        meta = {b"crv_schema_version": b"0.1@2025-09-20", b"crv_table_name": b"holdings", b"crv_run_id": b"r"}
        name = f"part-{bucket:032x}.parquet"
        pq.write_table(arrow.replace_schema_metadata(meta), folder / name)
        names.append(name)
    (table / "manifest.json").write_text(json.dumps({"table": "holdings", "version": 1, "partitions": {
        "000000": {"parts": [{"path": names[0]}]}, "000003": {"parts": [{"path": names[1]}]}}}))
    report = rebuild(tree)
    assert (report["parts_adopted"], report["parts_ignored"], report["rows"]) == (2, 1, 3)
    assert [row["tick"] for row in scan(tree, "r", "holdings")] == [1, 2, 350]
    assert rebuild(tree)["parts_adopted"] == 0
    append(tree, "r", "holdings", holdings([9]))
    assert len(scan(tree, "r", "holdings")) == 4
