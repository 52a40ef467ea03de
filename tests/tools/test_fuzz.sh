#!/bin/sh
# tools/fuzz: knows the targets there are, and every target has a corpus and a line in docs/testing.md.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$root/tools/fuzz" --help >"$dir/out"
grep -q -- '--runs N' "$dir/out"
if "$root/tools/fuzz" no_such_target 2>"$dir/err"; then exit 1; fi
grep -q "there is no target 'no_such_target'; there are: csv_page " "$dir/err"
if "$root/tools/fuzz" --runs 0 csv_page 2>"$dir/err"; then exit 1; fi
grep -q 'at least 1' "$dir/err"

for source in "$root"/fuzz/*.c; do
    target=$(basename "$source" .c)
    test "$target" = driver && continue
    if [ -z "$(ls "$root/fuzz/corpus/$target")" ]; then
        echo "fuzz/corpus/$target is empty"
        exit 1
    fi
    # Targets of one kind share a line, and their first word.
    grep -q "^| .*\`\(${target}\|_${target#parquet_}\)\`" "$root/docs/testing.md" || {
        echo "docs/testing.md does not know $target"
        exit 1
    }
done
