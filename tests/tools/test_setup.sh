#!/bin/sh
# tools/setup: quiet when all is there; says what is missing where it cannot install.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$root/tools/setup" build test >"$dir/out" 2>&1
test "$(cat "$dir/out")" = "setup: nothing to install for build test"

if "$root/tools/setup" everything >"$dir/out" 2>&1; then exit 1; fi
grep -q "unknown need 'everything'" "$dir/out"

# A system with a shell and a compiler, and nothing else: no apt-get, no cmake.
mkdir "$dir/bin"
for tool in sh cc grep mktemp rm id; do ln -s "$(command -v "$tool")" "$dir/bin/$tool"; done
if PATH="$dir/bin" sh "$root/tools/setup" build >"$dir/out" 2>&1; then exit 1; fi
grep -q 'no apt-get' "$dir/out"
grep -q '^  command cmake$' "$dir/out"
grep -q 'libcurl4-openssl-dev' "$dir/out"
