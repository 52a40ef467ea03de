#!/bin/sh
# table_engine - updates and reads of a keyed table beside hand-written Polars, deltalake, DuckDB's DuckLake and ArcticDB.
# TABLE_BENCH_ASSETS: 5,000. TABLE_BENCH_DAYS: 2,000. TABLE_BENCH_ROUNDS: 3; the best counts. TABLE_BENCH_ONLY: only rows
# whose name holds this text. TABLE_BENCH_PEERS: polars,deltalake,ducklake,arcticdb. TABLE_BENCH_LARGE=1: also 100 M rows
# under a limit of 64 MB. TABLE_BENCH_JOB: the program. TABLE_BENCH_PYTHON: a Python that has the peers; without it they are
# installed into build/bench-venv, from bench/requirements.txt and bench/table_engine.txt.
set -eu
cd "$(dirname "$0")/.."
if [ -z "${TABLE_BENCH_PYTHON:-}" ]; then
    venv=build/bench-venv
    if ! cmp -s bench/table_engine.txt "$venv/made-from-table"; then
        echo "table_engine: installing the packages of bench/table_engine.txt into $venv" >&2
        [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
        "$venv/bin/python" -m pip install --disable-pip-version-check -q -r bench/requirements.txt -r bench/table_engine.txt
        cp bench/table_engine.txt "$venv/made-from-table" # last: an interrupted installation is begun again
    fi
    TABLE_BENCH_PYTHON=$venv/bin/python
fi
if [ ! -x "${TABLE_BENCH_JOB:=build/release/bench/table_engine_job}" ]; then
    cmake -S . -B build/release -DCMAKE_BUILD_TYPE=Release >/dev/null
    cmake --build build/release --target bench_table_engine_job -j 2 >/dev/null
fi
export TABLE_BENCH_PYTHON TABLE_BENCH_JOB
exec "$TABLE_BENCH_PYTHON" -B bench/table_engine.py "$@"
