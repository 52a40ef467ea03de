"""docs/point-in-time.md: its commands and its Python run, and say what the page says."""
import re

from conftest import ROOT
from lake_data import run
from test_docs_pages import blocks, compare, folder, run_steps  # noqa: F401


def python_of(page):
    return "\n".join(re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S))


def test_what_was_known_when(folder):  # noqa: F811
    yaml, steps = blocks("point-in-time.md")
    for body, name in zip(yaml, ("exports.yaml", "earnings.yaml"), strict=True):
        (folder / name).write_text(body)
    said = run_steps(steps, folder, {}, {})
    assert len(steps) == 4
    compare(steps, said)
    assert run(python_of("point-in-time.md"), cwd=folder).stderr == ""
