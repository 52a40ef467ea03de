#!/bin/sh
# fuzz/driver.c: replays every file once, the empty input first, and notices a corpus that is not there.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/target.c" <<'END'
#include <stdint.h>
#include <stdio.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    printf("%zu bytes %.*s\n", size, (int)size, (const char *)data);
    return 0;
}
END
cc -D_GNU_SOURCE -Wall -Wextra -Werror -o "$dir/replay" "$dir/target.c" "$root/fuzz/driver.c"
cd "$dir"
mkdir corpus
printf abc >corpus/1
printf '' >corpus/2
./replay corpus corpus/1 >out
printf '0 bytes \ncorpus/1\n3 bytes abc\ncorpus/2\n0 bytes \ncorpus/1\n3 bytes abc\n' | diff - out
if ./replay nowhere 2>err >/dev/null; then
    echo "a missing corpus was accepted"
    exit 1
fi
grep -q 'cannot read nowhere' err
