#!/bin/sh
# update_providers - updates from providers of other shapes than CSV over a local feed: see update_providers.py.
set -eu
cd "$(dirname "$0")/.."
exec python3 -B bench/update_providers.py "$@"
