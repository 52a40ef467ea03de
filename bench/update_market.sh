#!/bin/sh
# update_market - backfill of 500 assets x 1000 days over a local feed, beside a hand-written script that does the same.
set -eu
cd "$(dirname "$0")/.."
tools/venv
exec .venv/bin/python -B bench/update_market.py "$@"
