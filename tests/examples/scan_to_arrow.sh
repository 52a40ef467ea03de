# Sums a column of the lake that the other example makes; a wrong name fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$(dirname "$1")/update_dataset" "$folder" >/dev/null
test "$("$1" "$folder/lake" shop prices close)" = '5 values, 0 nulls, sum 71.75'
test "$("$1" "$folder/lake" shop prices close "asset_id = 'AAA'")" = '3 values, 0 nulls, sum 32.25'
for column in nothing asset_id; do
    if "$1" "$folder/lake" shop prices "$column" 2>/dev/null; then
        echo "summed column $column" >&2
        exit 1
    fi
done
