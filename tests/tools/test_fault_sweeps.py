"""Every function that table/ and catalog/ offer, and that can fail, is reached by a fault sweep.

The list comes from the headers below. The body of a sweep is a function of a test program of the form
`lochan_status name(void *ctx, lochan_error *err)` in a file that calls fault_sweep; what it calls is followed through the
sources by name. A new function of a header that no body leads to fails here: give it a sweep.
"""
import collections
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = ["include/lochan/lake.h", "src/table/lake.h", "src/table/table.h", "src/catalog/catalog.h", "src/catalog/txn.h",
           "src/catalog/read.h", "src/catalog/query.h", "src/catalog/snapshots.h", "src/catalog/lease.h"]
# Functions that do nothing that can fail but to check their arguments.
HARMLESS = {"lochan_scan_get_stats", "lochan_catalog__check_writable", "lochan_lake__check_writable"}

DECLARATION = re.compile(r"^(?:LOCHAN_API )?lochan_status\s+(lochan_\w+)\(", re.M)
# A definition begins in the first column and ends with a closing brace there; so does a table of functions.
DEFINITION = re.compile(r"^(?!typedef|enum|struct \w+ \{|union)[a-z][^;{}]*?\b(\w+)(?:\(|\[\]| = )[^;]*?\{\n.*?^\};?$", re.M | re.S)
BODY = re.compile(r"^static lochan_status (\w+)\(void \*\w+, lochan_error \*err\) \{", re.M)
WORD = re.compile(r"\b[a-z_]\w+\b")


def without_comments(text):
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.S)


def read(path):
    return without_comments(path.read_text(encoding="utf-8"))


def definitions(text):
    """name -> the words of its definition, and the names that only this file knows."""
    found, own = collections.defaultdict(set), set()
    for match in DEFINITION.finditer(text):
        found[match.group(1)].update(WORD.findall(match.group(0)))
        if match.group(0).startswith("static"):
            own.add(match.group(1))
    return found, own


def offered(root=ROOT):
    return {name for header in HEADERS for name in DECLARATION.findall(read(root / header))} - HARMLESS


def reached(root=ROOT):
    files, shared, todo = {}, collections.defaultdict(set), []  # shared: name -> files that define it for others
    sources = [p for p in root.glob("src/*/*.[ch]") if p.parent.name not in ("cli", "feed")]
    for path in [*sources, *root.glob("tests/*/*.[ch]")]:
        text = read(path)
        files[path], own = definitions(text)
        for name in files[path]:
            if path.name.startswith("test_"):
                continue
            if name not in own or path.suffix == ".h":
                shared[name].add(path)
        if "fault_sweep(" in text and path.name.startswith("test_"):
            todo += [(path, name) for name in BODY.findall(text)]
    seen = set(todo)
    while todo:
        path, name = todo.pop()
        for word in files[path][name]:
            for other in [path] if word in files[path] else shared.get(word, ()):
                if (other, word) not in seen:
                    seen.add((other, word))
                    todo.append((other, word))
    return {name for path, name in seen}


class FaultSweeps(unittest.TestCase):
    def test_every_function_is_swept(self):
        names = offered()
        self.assertGreater(len(names), 60)  # the headers were read
        missing = sorted(names - reached())
        self.assertEqual(missing, [], "no fault sweep reaches " + ", ".join(missing))

    def test_an_unswept_function_is_noticed(self):
        self.assertNotIn("lochan_no_such_function", reached())


if __name__ == "__main__":
    unittest.main()
