#!/bin/sh
# The installed library: found by pkg-config, linked alone, shared and static, from C.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
flags=${LOCHAN_SANITIZE:+-fsanitize=$LOCHAN_SANITIZE}
DESTDIR="$dir" cmake --install "$LOCHAN_BINARY_DIR" >"$dir/install.log"
pc=$(find "$dir" -name lochan.pc)
export PKG_CONFIG_SYSROOT_DIR="$dir" PKG_CONFIG_PATH="${pc%/*}"
libdir=${pc%/pkgconfig/lochan.pc}

cat >"$dir/user.c" <<'END'
#include <lochan/lochan.h>
#include <string.h>
int main(void) {
    return strcmp(lochan_status_name(LOCHAN_OK), "OK");
}
END
cd "$dir"
test -L "$libdir/liblochan.so"
# shellcheck disable=SC2046,SC2086
cc $flags -o shared user.c $(pkg-config --cflags --libs lochan)
LD_LIBRARY_PATH="$libdir" ./shared
# The sysroot belongs to lochan only, so the libraries below it are asked for by their own names.
requires=$(sed -n 's/^Requires.private: //p' "$pc")
private=$(sed -n 's/^Libs.private: //p' "$pc")
# shellcheck disable=SC2046,SC2086
cc $flags -o static user.c $(pkg-config --cflags lochan) "$libdir/liblochan.a" \
    $(PKG_CONFIG_SYSROOT_DIR='' pkg-config --libs $requires) $private
./static
if [ -e "$LOCHAN_BIN" ]; then
    bin=$(find "$dir" -type f -path '*/bin/lochan')
    test -x "$bin"
fi
