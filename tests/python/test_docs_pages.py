"""Pages of docs/ that are a walk: their commands run in their order, and say what the page says they say."""
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import BIN, ROOT, Feed
from test_tushare import Provider

MARK = "@@ block"
CHANGES = [  # what differs from call to call
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"), (r"\b\d+(\.\d+)? m?s\b", "DURATION"), (r"[\d.]+ [kM]?B\b", "SIZE"),
    (r", \d+ retries", ""), (r"127\.0\.0\.1:\d+", "HOST"), (r"snapshot \d+", "SNAPSHOT"), (r"[ ─]+", " ")]


def blocks(page, section=""):
    """(yaml files, [(commands, lines they print or None)]) of a page, or of one section."""
    text = (ROOT / page).read_text()
    if section:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    parts = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    steps = []
    for kind, body in parts:
        if kind == "sh":
            steps.append([body, None])
        elif kind == "" and steps:
            steps[-1][1] = body
    return [body for kind, body in parts if kind == "yaml"], steps


def masked(text):
    for pattern, name in CHANGES:
        text = re.sub(pattern, name, text)
    return [line.strip() for line in text.splitlines()]


def run_steps(steps, folder, environment, replace):
    script = "exec 2>&1\n" + "".join(f"{commands}echo '{MARK}'\n" for commands, _ in steps)
    for old, new in replace.items():
        script = script.replace(old, new)
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stdout
    said = done.stdout.split(MARK + "\n")
    assert len(said) == len(steps) + 1, done.stdout
    return said


def compare(steps, said):
    for (commands, expected), got in zip(steps, said):
        if expected is None:
            continue
        expected, got = masked(expected), masked(got)
        assert len(expected) == len(got), f"{commands}\n{chr(10).join(got)}"
        for want, line in zip(expected, got):
            assert line.startswith(want.split("[...]")[0]) if "[...]" in want else line == want, commands


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lochan").symlink_to(pathlib.Path(BIN).resolve())
    return tmp_path


def test_a_first_dataset(folder):
    yaml, steps = blocks("docs/first-dataset.md")
    (folder / "futures.yaml").write_text(yaml[0])
    (folder / "settlements.yaml").write_text(yaml[1])
    api = subprocess.Popen([sys.executable, str(ROOT / "examples" / "first-dataset" / "api.py"), "--port", "0"],
                           stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"127\.0\.0\.1:\d+", api.stdout.readline()).group()
        (folder / "futures.yaml").write_text(yaml[0].replace("127.0.0.1:8600", address))
        environment = {"XDG_STATE_HOME": str(folder / "state")}  # limits of other runs do not count
        said = run_steps(steps, folder, environment, {"127.0.0.1:8600": address})
        assert len(steps) >= 8
        compare(steps, said)
        assert "demo" not in "".join(said), "the key is shown nowhere"
    finally:
        api.terminate()
        api.wait(30)


def test_the_tour_of_tushare(folder):
    _, steps = blocks("README.md", "Tushare in five minutes")
    data = folder / "data"
    data.mkdir()
    Provider(11).write(data)
    (data / "feed.yaml").write_text("token: marked-token-11\n")
    feed = Feed(data, folder)
    try:
        environment = {"XDG_STATE_HOME": str(folder / "state")}
        said = run_steps(steps, folder, environment, {
            "TUSHARE_TOKEN=...": "TUSHARE_TOKEN=marked-token-11",
            "rate_limit.per_minute=200": f"rate_limit.per_minute=100000 url={feed.url}"})[0]
    finally:
        feed.stop()
    assert "added 16 datasets" in said and "HTTP/1.1 200" in said
    assert "tushare/daily: updated, final up to 2024-02-15" in said and "tushare/income: updated" in said
    assert said.count(": updated") == 4 + 16 and "failed" not in said
    assert "marked-token" not in said
