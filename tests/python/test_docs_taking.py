"""docs/point-in-time.md and docs/adopt.md: their commands and their Python run, and say what the pages say."""
import re

from conftest import ROOT
from lake_data import run
from test_docs_pages import blocks, compare, folder, run_steps  # noqa: F401


def python_of(page):
    return "\n".join(re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S))


def test_what_was_known_when(folder):  # noqa: F811
    yaml, steps = blocks("docs/point-in-time.md")
    for body, name in zip(yaml, ("exports.yaml", "earnings.yaml"), strict=True):
        (folder / name).write_text(body)
    said = run_steps(steps, folder, {}, {})
    assert len(steps) == 4
    compare(steps, said)
    assert run(python_of("point-in-time.md"), cwd=folder).stderr == ""


def test_parquet_folders_are_taken_over(folder):  # noqa: F811
    yaml, steps = blocks("docs/adopt.md")
    for body, name in zip(yaml, ("prices.yaml", "daily.yaml"), strict=True):
        (folder / name).write_text(body)
    assert run(python_of("adopt.md"), cwd=folder).stderr == ""
    compare(steps, run_steps(steps, folder, {}, {}))
    assert len(list((folder / "old").rglob("*.parquet"))) == 2
