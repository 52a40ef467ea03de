#!/bin/sh
# run_tables - appends to and reads of run tables, beside Polars alone and the algorithm of the Python original.
set -eu
cd "$(dirname "$0")/.."
tools/python
exec .venv/bin/python -B bench/run_tables.py "$@"
