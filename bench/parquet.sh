#!/bin/sh
# parquet - reading and writing Parquet files beside pyarrow, Polars, DuckDB and, if it is installed, carquet.
# PARQUET_BENCH_ROWS: rows of the market table (5,000,000; the others shrink with it). PARQUET_BENCH_ROUNDS: 3.
# PARQUET_BENCH_ONLY: only rows of the table whose name holds this text. PARQUET_BENCH_PYTHON: a Python that has the peers.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${PARQUET_BENCH_PYTHON:-}" ]; then
    tools/venv
    PARQUET_BENCH_PYTHON=.venv/bin/python
fi
export PARQUET_BENCH_PYTHON
exec "$PARQUET_BENCH_PYTHON" -B bench/parquet.py "$@"
