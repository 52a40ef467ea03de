"""docs/python.md and examples/python_lake.py run; what is printed looks well; the types are strict."""
import os
import pty
import re
import subprocess
import sys
import textwrap
import types

import lochan
import pytest
from lake_data import ROOT, add_typed, make_ecb_lake, run, typed_rows, write_csv
from lochan import _progress, _show


def test_the_manual_runs(tmp_path):
    text = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) >= 12
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = run("\n".join(blocks), cwd=tmp_path)
    assert "snapshot" in done.stdout and "scopes failed" in done.stdout and "ecb/fx_daily" in done.stdout
    assert done.stderr == ""


def test_the_manual_names_what_there_is():
    text = (ROOT / "docs" / "python.md").read_text()
    for name in (lochan.UpdateReport._fields + lochan.Progress._fields + lochan.Scope._fields + lochan.RequestContext._fields
                 + lochan.SourceAnswer._fields):
        if name not in ("kind", "error", "dry_run"):
            assert f"`{name}`" in text, name


@pytest.mark.parametrize("name, told", [
    ("run_tables.py", ["600 rows of holdings", "refused: row 1: tick -1 is negative", "{'agents': 3, 'ticks': 200}", "2 runs are left", "sound"]),
    ("update_dataset.py", ["215,525 new", "nothing to do", "7,126 rows came out of the scan", "2025-12-31", "sound"])])
def test_the_notebooks_run(tmp_path, name, told):
    command = [sys.executable, str(ROOT / "examples" / name), str(tmp_path / "lake")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for part in told:
        assert part in done.stdout, part
    assert (ROOT / "examples" / name).read_text().count("\n# %%") >= 6


def test_the_example_runs_twice(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "python_lake.py"), str(tmp_path / "lake")]
    first = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert first.returncode == 0 and first.stderr == "", first.stderr
    for part in ("215,525 new", "6,177 new", "221,702", "2026-10-30", "ATTACH", "sound: 2 files"):
        assert part in first.stdout, part
    second = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0 and second.stdout.count("nothing to do") == 2, second.stderr


def test_the_example_of_a_source_runs(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "python_source.py"), str(tmp_path / "lake")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for part in ("1 of 6 scopes failed: ConnectionError('no answer from the gauge')", "93 new", "sound: 1 file, 543 rows"):
        assert part in done.stdout, part


def test_every_call_of_the_c_api_is_there():
    """What these headers declare is called by the extension, but for what Python has in another way."""
    otherwise = {"lochan_run_id", "lochan_run_appender_close"}
    headers = "".join((ROOT / "include" / "lochan" / f"{name}.h").read_text() for name in ("lake", "run", "source", "update", "feed"))
    declared = set(re.findall(r"^LOCHAN_API [^;(]*?\b(lochan_\w+)\(", headers, re.M))
    sources = "".join(path.read_text() for path in (ROOT / "python" / "src").glob("*.c"))
    assert len(declared) > 80 and sorted(name for name in declared - otherwise if name not in sources) == []


# --- looks


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    with lochan.DataLake.open(make_ecb_lake(tmp_path_factory.mktemp("ecb") / "lake")) as lake:
        yield lake


def test_reprs(lake, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    runs = repr(lake.status.runs())
    lines = runs.splitlines()
    assert lines[0].startswith("started_at") and set(lines[1]) == {"─", " "} and "215,525" in runs and "… and" in lines[-1]
    assert all(_show.width(line) <= 100 for line in lines[:-1])
    assert repr(lake).splitlines()[0] == f"DataLake {lake.path}" and "221,702" in repr(lake)
    assert "lake.update" in repr(lake.update) and repr(lake.status).startswith("source")
    report = lake.update.dataset("ecb/fx_daily", end="2026-10-30")
    assert repr(report) == str(report) == "ecb/fx_daily: nothing to do, all that was asked for is final"
    for thing in (lake, lake.status, lake.sources, lake.datasets, lake.status.runs(), report, lake.verify(), lake.scan("ecb/fx_daily")):
        html = thing._repr_html_()
        assert html.startswith("<div>") or html.startswith("<table>")
        assert html.count("<tr>") == html.count("</tr>") and html.count("<td") == html.count("</td>")


def test_many_rows_are_cut_and_hostile_text_is_tamed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    rows = [(i, "\x1b[31m<script>\n", 1.5, None, True, "平安银行") for i in range(20)]
    names = ["n", "text", "x", "none", "flag", "wide"]
    text = _show.table_text("title", names, rows, 1000)
    assert "\x1b" not in text and "\\x1b[31m" in text and "1,000 rows in all" in text and text.count("\n") == 1 + 1 + 1 + 20
    assert len({_show.width(line) for line in text.splitlines()[3:5]}) == 1
    html = _show.table_html("<b>", names, rows, 1000)
    assert "<script>" not in html and "&lt;script&gt;" in html and "&lt;b&gt;" in html
    assert _show.table_text("", names, [], 0) == "(no rows of n, text, x, none, flag, wide)"
    assert [_show.size(n) for n in (0, 999, 1000, 85_900, 1_900_000, 10**18)] == ["0 B", "999 B", "1 kB", "85.9 kB", "1.9 MB", "1 EB"]
    assert [_show.seconds(s) for s in (0, 0.0123, 2.34, 200)] == ["0 ms", "12 ms", "2.3 s", "3 min 20 s"]


# --- the bar


def progress(**fields):
    return lochan.Progress(**{"source": "shop", "dataset": "typed", "stage": "fetch", "pages_done": 5, "pages_total": 10,
                              "rows": 1234, "bytes": 0, "retries": 0, "waiting_for": None, **fields})


def test_the_line_of_the_bar():
    bar = _progress.Bar(notebook=False)
    line = bar.line(progress())
    assert line.startswith("shop/typed: fetching  ██████████░░░░░░░░░░  5/10 pages  1,234 rows")
    assert "waiting: back-off 2 s after HTTP 503" in bar.line(progress(waiting_for="back-off 2 s\nafter HTTP 503", retries=2))
    assert "2 retries" in bar.line(progress(retries=2)) and "1 retry" in bar.line(progress(retries=1))
    assert bar.line(progress(stage="plan", pages_total=0, rows=0)) == "shop/typed: planning"


SCRIPT = """
    import sys
    sys.path.insert(0, {folder!r})
    import lochan
    from lake_data import *
    write_csv("typed.csv", typed_rows(days=20, assets=2))
    with lochan.Feed("typed.csv", latency_ms=30) as feed, lochan.DataLake.open("lake", create=True) as lake:
        add_typed(lake, feed)
        print(lake.update.dataset("typed", source="shop", end="2024-01-20", progress={progress}).rows_new)
"""


@pytest.mark.parametrize("option, shown", [("None", True), ("True", True), ("False", False)])
def test_the_bar_on_a_terminal(tmp_path, option, shown):
    try:
        terminal, end = pty.openpty()
    except OSError as error:  # a root without /dev/pts
        pytest.skip(f"no terminals here: {error}")
    script = textwrap.dedent(SCRIPT.format(folder=str(ROOT / "tests" / "python"), progress=option))
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=end, text=True, cwd=tmp_path, timeout=60)
    os.close(end)
    try:
        drawn = os.read(terminal, 1 << 16).decode()
    except OSError:
        drawn = ""
    os.close(terminal)
    assert done.returncode == 0 and done.stdout == "40\n"
    assert ("fetching" in drawn) == shown
    assert not shown or drawn.endswith("\r\x1b[K")


@pytest.mark.parametrize("option, shown", [("None", False), ("True", True)])
def test_the_bar_elsewhere(tmp_path, option, shown):
    done = run(SCRIPT.format(folder=str(ROOT / "tests" / "python"), progress=option), cwd=tmp_path)
    assert ("fetching" in done.stderr) == shown and done.stdout == "40\n"


def test_the_bar_in_a_notebook(tmp_path, monkeypatch):
    shown = []

    class Handle:
        def update(self, what):
            shown.append(what)

    def display(what, display_id):
        shown.append(what)
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell, display=types.SimpleNamespace(display=display, Pretty=str))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    write_csv(tmp_path / "typed.csv", typed_rows(days=20, assets=2))
    with lochan.Feed(tmp_path / "typed.csv") as feed, lochan.DataLake.init(tmp_path / "lake") as lake:
        add_typed(lake, feed)
        lake.update.dataset("typed", source="shop", end="2024-01-20")
    assert any("fetching" in text for text in shown) and shown[-1] == ""


# --- the package


def test_import_takes_no_other_package():
    done = run("""
        import sys, lochan
        print([m for m in ("numpy", "pyarrow", "polars", "pandas", "duckdb", "IPython", "datetime", "dataclasses") if m in sys.modules])""")
    assert done.stdout == "[]\n"


def test_use_without_other_packages(tmp_path):
    """As in an environment that has nothing but lochan."""
    done = run(f"""
        import sys
        for name in ("numpy", "pyarrow", "polars", "pandas", "duckdb"):
            sys.modules[name] = None
        sys.path.insert(0, {str(ROOT / 'tests' / 'python')!r})
        import lochan
        from lake_data import make_ecb_lake
        with lochan.DataLake.open(make_ecb_lake("lake")) as lake:
            scan = lake.scan("ecb/fx_daily", where="asset_id = 'USD'", limit=2)
            print(len(scan.rows()), sum(len(b) for b in scan), len(lake.status.runs().rows()), lake.verify().problems)
            for take in (scan.to_polars, scan.to_arrow, scan.to_pandas, scan.to_duckdb, scan.lazy, lake.status.runs().to_polars):
                try:
                    take()
                    print("?")
                except ImportError:
                    pass
        """, cwd=tmp_path)
    assert done.stdout == "2 2 2 0\n"


def test_types_are_strict(tmp_path):
    use = tmp_path / "use.py"
    use.write_text(textwrap.dedent("""
        import datetime
        import lochan

        with lochan.DataLake.open("lake", create=True, threads=2) as lake:
            report: lochan.UpdateReport = lake.update.dataset("daily", source="x", start=datetime.date(2024, 1, 1), workers=2)
            rows: int = report.rows_new
            seconds: float = report.fetch_seconds
            reports: list[lochan.UpdateReport] = lake.update.datasets(["a", "b"], source="x", progress=lambda p: print(p.rows))
            table: lochan.Table = lake.status.runs(limit=20)
            names: list[str] = [row["source"] for row in table.rows()]
            scan: lochan.Scan = lake.scan("daily", source="x", columns=["time"], as_of=3)
            height: int = scan.to_polars().height
            lazy_columns: list[str] = scan.lazy().collect_schema().names()
            added: int = lake.datasets.add("x/daily")
            done: bool = lake.commit_status("t").done
            problems: int = lake.verify(deep=True).problems
            joined: int = lake.compact("x/daily", full=True, dry_run=True).files_joined
            taken: int = lake.repair(deep=True).files_taken_out
            lake.set_retention(datetime.timedelta(days=90))
            runs: list[dict[str, object]] = lake.runs.list("holdings").rows()
            try:
                lake.update.backfill("daily", "x", "2024-01-01", "2024-02-01")
            except lochan.PartialError as e:
                failed: int = e.report.scopes_failed if e.report else 0

        import polars
        from lochan.io import Dataset, IoError, IoSettings, TableManifest, TableName, make_run_id, scan_runs

        run = Dataset(IoSettings(root_dir="out", compression="lz4"), make_run_id())
        frame: polars.DataFrame = run.read(TableName.HOLDINGS, {"tick_min": 1}, limit=5)
        parts: list[dict[str, object]] = run.append("holdings", frame)["parts"]
        manifest: TableManifest | None = run.manifest("holdings")
        count: int = manifest.partitions["000000"].row_count if manifest else 0
        lazy: polars.LazyFrame = scan_runs("holdings", [run.run_id])
        try:
            with run.appender("holdings", rows=10) as appender:
                appender.append(frame)
        except IoError as error:
            kept: bool = error.kept
    """))
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(use),
                           str(ROOT / "python/lochan")], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
