"""Frames and settings for the tests of lochan.io."""
import polars as pl
from lochan.io import IoSettings

TABLES = ["exchange", "identity_edges", "scenarios_seen", "messages", "decisions", "oracle_calls", "holdings", "holdings_valuation"]

TRADES = """
name: trades
columns:
  tick: i64
  side: {type: str, values: [buy, sell]}
  price: {type: f64, nullable: true}
  day: {type: date, nullable: true}
  note: {type: str, nullable: true}
  lot: {type: struct, fields: {size: i64, unit: str}, nullable: true}
rules:
  - when: side
    is: [sell]
    require: [price]
"""


def settings(path, **fields):
    return IoSettings(root_dir=str(path), **fields)


def holdings(ticks, agent="a"):
    ticks = pl.Series("tick", ticks, dtype=pl.Int64)
    return pl.DataFrame([ticks]).with_columns(agent_id=agent + (pl.col("tick") % 7).cast(pl.String), token_id=pl.lit("t"), quantity=pl.col("tick"))


def exchange(payloads, tick=5):
    return pl.DataFrame({"tick": list(range(tick, tick + len(payloads))), "venue_id": "v", "token_id": "t",
                         "exchange_event_type": "trade", "additional_payload": payloads})


def edges(kinds, **columns):
    n = len(kinds)
    return pl.DataFrame({"tick": list(range(n)), "observer_agent_id": "o", "edge_kind": kinds, "edge_weight": 0.5, **columns})


def files(path):
    """Every file below a folder, with its size."""
    return sorted((str(p.relative_to(path)), p.stat().st_size) for p in path.rglob("*") if p.is_file()) if path.exists() else []
