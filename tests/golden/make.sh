#!/bin/sh
# make.sh - makes the golden lake of the present format version: tests/golden/<version>/lake and expected/*.csv.
# Run once for a format version, by hand; what is committed is never made anew. Usage: tests/golden/make.sh VERSION
set -eu
cd "$(dirname "$0")/../.."
bin=${LOCHAN_BIN:-$PWD/build/lochan}
target=tests/golden/$1
[ ! -e "$target" ] || { echo "$target is there already: golden lakes are not remade" >&2; exit 1; }
work=$(mktemp -d)
feed=
trap 'kill $feed 2>/dev/null || true; rm -rf "$work"' EXIT

cat >"$work/source.yaml" <<'END'
name: golden
kind: http
url: http://127.0.0.1:1
path: /{source_dataset}.csv
query: {start: "{start}", end: "{end}"}
format: csv
END
columns='columns:
  asset_id: string
  time: {type: date, format: "%Y-%m-%d"}
  price: decimal(12,2)
  ratio: float64
  volume: int64
  halted: bool
  seen: {type: "timestamp[us]", format: "%Y-%m-%d %H:%M:%S"}
  note: string
primary_key: [asset_id, time]
sort_columns: [time, asset_id]
default_start: 2024-01-01
settle_days: 0'
printf 'name: monthly\nsource: golden\nsource_dataset: rows\npartition_strategy: year_month\n%s\n' "$columns" >"$work/monthly.yaml"
printf 'name: single\nsource: golden\nsource_dataset: rows\npoint_in_time: true\n%s\n' "$columns" >"$work/single.yaml"

# rows A-D of 70 days; $1 is added to the price of the last days (a revision)
rows() {
    awk -v bump="$1" 'BEGIN {
        print "asset_id,time,price,ratio,volume,halted,seen,note,extra"
        split("31 29 31", length_of, " ")
        for (m = 1; m <= 3; m++) for (d = 1; d <= length_of[m] && (m < 3 || d <= 10); d++) for (a = 0; a < 4; a++) {
            n++
            day = sprintf("2024-%02d-%02d", m, d)
            printf "%c,%s,%.2f,%s,%s,%s,%s 0%d:30:15,%s,%s\n", 65 + a, day, n / 4 + (m == 3 ? bump : 0),
                (n % 7 == 0 ? "" : n % 5 == 0 ? "-0.0" : "1e-" n % 30), (n % 3 == 0 ? "" : sprintf("%.0f", n * 1000000007)),
                (n % 4 == 0 ? "" : n % 2 == 0 ? "true" : "false"), day, a,
                (n % 6 == 0 ? "" : n % 6 == 1 ? "\"say \"\"hi\"\", twice\"" : "étude " n), (n % 2 == 0 ? "" : n / 8)
        }
    }'
}
serve() {
    [ -z "$feed" ] || kill "$feed"
    rm -f "$work/port"
    "$bin" feed "$work/rows.csv" --port 0 --ready-file "$work/port" >/dev/null &
    feed=$!
    while [ ! -s "$work/port" ]; do sleep 0.05; done
    lochan source set golden "url=http://127.0.0.1:$(cat "$work/port")"
}
lochan() { "$bin" --lake "$work/lake" "$@" >/dev/null; }

lochan init
lochan source add "$work/source.yaml"
lochan dataset add "$work/monthly.yaml"
lochan dataset add "$work/single.yaml"
rows 0 >"$work/rows.csv"
serve
for name in monthly single; do lochan update "golden/$name" --end 2024-02-20; done
rows 0.5 >"$work/rows.csv"
serve
for name in monthly single; do
    lochan update "golden/$name" --end 2024-03-05
    lochan update "golden/$name" --end 2024-03-10 --force
done

mkdir -p "$target/expected"
all=asset_id,time,price,ratio,volume,halted,seen,note,source,source_dataset,extra
for name in monthly single; do
    columns=$all
    test "$name" = monthly || columns=$all,_known_at
    "$bin" --lake "$work/lake" scan "golden/$name" --columns "$columns" --format csv >"$target/expected/$name.csv"
    first=$("$bin" --lake "$work/lake" runs golden/$name --json | tail -n 1 | sed 's/.*"snapshot_id":\([0-9]*\).*/\1/')
    "$bin" --lake "$work/lake" scan "golden/$name" --as-of "$first" --columns "$columns" \
        --format csv >"$target/expected/$name-at-$first.csv"
done
lochan verify --deep
# The write-ahead log is part of a lake that is moved; the shared memory file and the locks are not.
rm -f "$work/lake/lake.db-shm" "$work/lake/lake.lock"
rm -rf "$work/lake/locks"
cp -R "$work/lake" "$target/lake"
find "$target" -type f | sort
