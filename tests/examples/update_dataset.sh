# Runs the example in a folder of its own: five rows arrive, the second update asks nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" "$folder" >"$folder/out"
cat "$folder/out"
printf '5 new rows from 1 pages, snapshot %s\nnothing to do\n' "$(sed -n '1s/.*snapshot //p' "$folder/out")" |
    diff - "$folder/out"
test -f "$folder/lake/lake.db"
