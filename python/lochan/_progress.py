"""The progress bar: a line on a terminal, a line in a notebook. Needs nothing but what is there."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from lochan import _show
from lochan.reports import Progress

STAGES = {"plan": "planning", "fetch": "fetching", "normalise": "normalising", "write": "writing", "publish": "publishing"}
BAR_WIDTH = 20


def _in_notebook() -> bool:
    """A kernel that can show HTML runs this code."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Bar:
    """A callback of an update."""

    def __init__(self, notebook: bool) -> None:
        self._notebook = notebook
        self._handle: Any = None
        self._drawn = False
        self._began: dict[tuple[str, str], tuple[str, float]] = {}  # of each dataset: its stage, and since when

    def line(self, now: Progress) -> str:
        text = f"{now.source}/{now.dataset}: {STAGES.get(now.stage, 'working')}"
        if now.pages_total > 0:
            full = BAR_WIDTH * min(now.pages_done, now.pages_total) // now.pages_total
            text += f"  {'█' * full}{'░' * (BAR_WIDTH - full)}  {now.pages_done:,}/{now.pages_total:,} pages"
        elapsed = time.monotonic() - self._began.get((now.source, now.dataset), ("", time.monotonic()))[1]
        if now.rows > 0:
            text += f"  {now.rows:,} rows"
            if now.stage == "fetch" and elapsed > 0.5 and not now.waiting_for:
                text += f" ({now.rows / elapsed:,.0f}/s)"
        if now.retries:
            text += f"  {_show.count(now.retries, 'retry') if now.retries == 1 else f'{now.retries:,} retries'}"
        if now.waiting_for:
            text += f"  waiting: {now.waiting_for}"
        elif now.stage == "fetch" and now.pages_done >= 2 and elapsed >= 1:
            left = elapsed / now.pages_done * (now.pages_total - now.pages_done)
            text += f"  about {_show.seconds(left)} left" if left >= 1 else ""
        return "".join(c if c.isprintable() else " " for c in text)

    def __call__(self, now: Progress) -> None:
        name = now.source, now.dataset
        if self._began.get(name, ("", 0.0))[0] != now.stage:
            self._began[name] = now.stage, time.monotonic()
        if now.stage != "done":
            self._draw(self.line(now))

    def _draw(self, text: str) -> None:
        if self._notebook:
            display = sys.modules["IPython"].display
            shown = display.Pretty(text)
            if self._handle is None:
                self._handle = display.display(shown, display_id=True)
            else:
                self._handle.update(shown)
            return
        text = text[: max(shutil.get_terminal_size().columns - 1, 10)]
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
        self._drawn = True

    def close(self) -> None:
        """Wipes the line; what an update did is in its report."""
        if self._handle is not None:
            self._handle.update(sys.modules["IPython"].display.Pretty(""))
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def bar(always: bool = False) -> Bar | None:
    """A bar if somebody looks, or always; else None."""
    if _in_notebook():
        return Bar(notebook=True)
    looked_at = sys.stderr is not None and (always or sys.stderr.isatty())
    return Bar(notebook=False) if looked_at else None
