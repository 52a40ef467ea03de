#!/bin/sh
# tools/exports: refuses a library that shows an internal or foreign name, or hides a declared one.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/tools" "$dir/include/lochan"
cp "$root/tools/exports" "$dir/tools/"
cat >"$dir/include/lochan/x.h" <<'END'
/* LOCHAN_API in a comment is no declaration (such as this). */
LOCHAN_API int lochan_one(void);
LOCHAN_API const char *
lochan_two(int a,
           int b) MUST_CHECK;
LOCHAN_API const struct t *const *lochan_three(void);
END
cd "$dir"
good='int lochan_one(void) { return 1; } int lochan_two(void) { return 2; } int lochan_three(void) { return 3; }'
library() { echo "$1" | cc -shared -fPIC -x c -o lib.so -; }

library "$good"
sh tools/exports lib.so
library "$good int lochan_x__inner(void) { return 4; }"
if sh tools/exports lib.so >out; then exit 1; fi
grep -q 'not of the public API: lochan_x__inner' out
library "$good int helper(void) { return 4; }"
if sh tools/exports lib.so >out; then exit 1; fi
grep -q 'not of the public API: helper' out
library 'int lochan_one(void) { return 1; } int lochan_three(void) { return 3; }'
if sh tools/exports lib.so >out; then exit 1; fi
test "$(cat out)" = 'declared with LOCHAN_API, but not exported: lochan_two'
