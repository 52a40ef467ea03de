#!/bin/sh
# parquet - reading and writing Parquet files beside pyarrow, Polars, DuckDB and, if it is installed, carquet.
# PARQUET_BENCH_ROWS: rows of the market table (5,000,000; the others shrink with it). PARQUET_BENCH_ROUNDS: 3.
# PARQUET_BENCH_ONLY: only rows of the table whose name holds this text. PARQUET_BENCH_PYTHON: a Python that has the peers;
# without it they are installed into build/bench-venv, from bench/requirements.txt.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${PARQUET_BENCH_PYTHON:-}" ]; then
    venv=build/bench-venv
    if ! cmp -s bench/requirements.txt "$venv/made-from"; then
        echo "parquet: installing the packages of bench/requirements.txt into $venv" >&2
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --disable-pip-version-check -q -r bench/requirements.txt
        cp bench/requirements.txt "$venv/made-from" # last: an interrupted installation is begun again
    fi
    PARQUET_BENCH_PYTHON=$venv/bin/python
fi
if [ ! -x "${PARQUET_BENCH_JOB:=build/release/bench/parquet_job}" ]; then
    cmake -S . -B build/release -DCMAKE_BUILD_TYPE=Release >/dev/null
    cmake --build build/release --target bench_parquet_job -j 2 >/dev/null
fi
export PARQUET_BENCH_PYTHON PARQUET_BENCH_JOB
exec "$PARQUET_BENCH_PYTHON" -B bench/parquet.py "$@"
