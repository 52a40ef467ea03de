"""Builds lochan._lochan against the static library of the checkout around it.

LOCHAN_BUILD names another build folder than ../build/release. If it is not there yet, cmake makes it.
"""
import os
import pathlib
import re
import subprocess

from setuptools import Extension, setup

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = pathlib.Path(os.environ.get("LOCHAN_BUILD", ROOT / "build" / "release"))


def run(*command):
    print("+", *command, flush=True)
    subprocess.run(command, check=True)


def library():
    """The static library, built if it is not there."""
    if not (ROOT / "include" / "lochan" / "lochan.h").exists():
        raise SystemExit("lochan: the package is built from a checkout of the whole project")
    if "LOCHAN_BUILD" not in os.environ:
        run("cmake", "-S", str(ROOT), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DLOCHAN_TESTS=OFF")
        run("cmake", "--build", str(BUILD), "--target", "lochan_static")
    return BUILD / "liblochan.a"


def link_flags():
    """What the static library needs, from its pkg-config file."""
    text = (BUILD / "lochan.pc").read_text()
    requires = re.search(r"^Requires.private: *(.*)$", text, re.M).group(1).split()
    private = re.search(r"^Libs.private: *(.*)$", text, re.M).group(1).split()
    out = subprocess.run(["pkg-config", "--libs", *requires], check=True, capture_output=True, text=True).stdout
    return out.split() + private


version = re.search(r'#define LOCHAN_VERSION "([^"]+)"', (ROOT / "include/lochan/lake.h").read_text()).group(1)
archive = library()
# Nothing is left in the source folder: build products lie beside those of CMake, and those of one library are never taken
# for another's.
os.chdir(HERE)
products = BUILD / "python"
products.mkdir(parents=True, exist_ok=True)

setup(
    version=version,
    ext_modules=[
        Extension(
            "lochan._lochan",
            sources=sorted(str(p.relative_to(HERE)) for p in (HERE / "src").glob("*.c")),
            depends=[str(archive), *(str(p) for p in (HERE / "src").glob("*.h"))],
            include_dirs=[str(ROOT / "include")],
            define_macros=[("Py_LIMITED_API", "0x030A0000"), ("_GNU_SOURCE", "1")],
            py_limited_api=True,
            extra_compile_args=["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wshadow", "-Werror=implicit-function-declaration", "-Wno-missing-field-initializers"],
            # The library's own symbols stay inside, and only what is used of its dependencies is loaded.
            extra_link_args=[str(archive), "-Wl,--exclude-libs,ALL", "-Wl,--as-needed", *link_flags()],
        )
    ],
    options={
        "bdist_wheel": {"py_limited_api": "cp310"},
        "build": {"build_base": str(products)},
        "egg_info": {"egg_base": str(products)},
    },
)
