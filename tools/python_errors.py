#!/usr/bin/env python3
"""python_errors - write the exceptions of the extension module, which come from errors.def, into the stubs of python/lochan.

Usage: .venv/bin/python tools/python_errors.py      (after a change of errors.def and tools/python)
"""
import pathlib
import re

from lochan import _lochan

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    text = (ROOT / "include/lochan/errors.def").read_text()
    names = re.findall(r'^LOCHAN_STATUS\(\w+, *[1-9]\d*, *"(\w+)"', text, re.M)
    classes = [f"class {name}({', '.join(b.__name__ for b in getattr(_lochan, name).__bases__)}): ...\n" for name in names]
    stub = ROOT / "python/lochan/_lochan.pyi"
    start, end = "    retry_after: float | None\n\n", "\n@final\nclass Batch:"
    before, _, rest = stub.read_text().partition(start)
    stub.write_text(before + start + "".join(classes) + end + rest.partition(end)[2])
    lines = [f"from lochan._lochan import {name} as {name}\n" for name in sorted(["Error", *names])]
    listed = "".join(f'    "{name}",\n' for name in ["Error", *names])
    (ROOT / "python/lochan/errors.pyi").write_text(
        '"""The exceptions of lochan; see errors.py. Written by tools/python_errors.py."""\n\n' + "".join(lines) +
        "\n__all__ = [\n" + listed + "]\n")


if __name__ == "__main__":
    main()
