# A file of the lake that another example makes, rewritten whole and in part; a missing file fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$(dirname "$1")/update_dataset" "$folder" >/dev/null
file=$(find "$folder/lake/data" -name '*.parquet' | sort | head -n 1)
all=$("$1" "$file" "$folder/all.parquet")
echo "$all" | grep -q '^[1-9][0-9]* rows written, 1 row groups read, 0 passed over$'
test "$("$1" "$folder/all.parquet" "$folder/none.parquet" "close > 1e9")" = \
    '0 rows written, 0 row groups read, 1 passed over'
if "$1" "$folder/nothing.parquet" "$folder/x.parquet" 2>/dev/null; then
    echo "read a file that is not there" >&2
    exit 1
fi
test ! -e "$folder/x.parquet"
