#!/bin/sh
# cmake/specs.cmake: every file arrives byte for byte, sorted by path.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/specs/b/c" "$dir/out"
printf 'a: "\303\251 \\n"; [x]\n\n' >"$dir/specs/b/c/d.yaml"
printf '' >"$dir/specs/b/empty.yaml"
printf 'last: no newline' >"$dir/specs/a.yaml"
printf 'not a spec' >"$dir/specs/readme.txt"
cmake -DSPECS="$dir/specs" -DOUTPUT="$dir/specs.c" -P "$root/cmake/specs.cmake"
cat >"$dir/main.c" <<'END'
#include "update/bundled.h"
#include <stdio.h>
#include <string.h>
int main(void) {
    for (size_t i = 0; i < lochan_bundled__count; i++) {
        const lochan_bundled *spec = &lochan_bundled__specs[i];
        printf("%s %zu %d\n", spec->path, spec->size, strlen(spec->text) == spec->size);
        char path[64];
        snprintf(path, sizeof path, "out/%zu", i);
        FILE *f = fopen(path, "w");
        fwrite(spec->text, 1, spec->size, f);
        fclose(f);
    }
    return lochan_bundled__specs[lochan_bundled__count].path != NULL;
}
END
cc -Wall -Wextra -Werror -I "$root/src" -o "$dir/main" "$dir/main.c" "$dir/specs.c"
cd "$dir"
./main >list
printf 'a.yaml 16 1\nb/c/d.yaml 17 1\nb/empty.yaml 0 1\n' | diff - list
cmp out/0 specs/a.yaml
cmp out/1 specs/b/c/d.yaml
cmp out/2 specs/b/empty.yaml
