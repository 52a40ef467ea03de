"""How tables and reports look, as text and in a notebook."""

from __future__ import annotations

import datetime
import html
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST_CELL = 60


def cell(name: str, value: Any) -> str:
    """A value as a person wants to see it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if name.endswith("_id") else f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ", "seconds")
    text = value if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def width(text: str) -> int:
    """Columns of a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, to: int, right: bool) -> str:
    gap = " " * (to - width(text))
    return gap + text if right else text + gap


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def pairs_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values under each other."""
    pairs = list(pairs)
    widest = max((width(name) for name, _ in pairs), default=0)
    return "\n".join(f"{_pad(name, widest, False)}  {value}".rstrip() for name, value in pairs)


def table_text(title: str, names: Sequence[str], rows: Sequence[Sequence[Any]], total: int) -> str:
    """One row as pairs; more as a table, as wide as the terminal."""
    head = f"{title}\n" if title else ""
    if total == 0:
        return f"{head}(no rows of {', '.join(names)})"
    if total == 1:
        return head + pairs_text((name, cell(name, value)) for name, value in zip(names, rows[0]))
    columns: list[list[str]] = []
    left_out: list[str] = []
    room = shutil.get_terminal_size((120, 24)).columns
    for i, name in enumerate(names):
        cells = [name, *(cell(name, row[i]) for row in rows)]
        widest = max(map(width, cells))
        if columns and widest + 2 > room:
            left_out.append(name)
            continue
        room -= widest + 2
        right = any(_is_number(row[i]) for row in rows)
        cells = [_pad(text, widest, right) for text in cells]
        columns.append([cells[0], "─" * widest, *cells[1:]])
    lines = ["  ".join(line).rstrip() for line in zip(*columns)]
    if total > len(rows):
        lines.append(f"… {total:,} rows in all")
    if left_out:
        lines.append(f"… and {', '.join(left_out)}")
    return head + "\n".join(lines)


def table_html(title: str, names: Sequence[str], rows: Sequence[Sequence[Any]], total: int) -> str:
    out = [f"<div><strong>{html.escape(title)}</strong></div>" if title else "", "<table><thead><tr>"]
    out += [f"<th>{html.escape(name)}</th>" for name in names]
    out.append("</tr></thead><tbody>")
    for row in rows:
        out.append("<tr>")
        for name, value in zip(names, row):
            side = ' style="text-align: right"' if _is_number(value) else ""
            out.append(f"<td{side}>{html.escape(cell(name, value))}</td>")
        out.append("</tr>")
    out.append("</tbody></table>")
    if total > len(rows) or total == 0:
        out.append(f"<div>{total:,} rows in all</div>")
    return "".join(out)


def pairs_html(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th style='text-align: left'>{html.escape(name)}</th><td style='text-align: left'>{html.escape(value)}</td></tr>"
                    for name, value in pairs)
    return f"<div><strong>{html.escape(title)}</strong></div><table><tbody>{lines}</tbody></table>"


def size(n: int) -> str:
    """Bytes for people, as the command writes them."""
    if n < 1000:
        return f"{n} B"
    value, units = float(n), iter(("kB", "MB", "GB", "TB", "PB", "EB"))
    unit = ""
    while value >= 1000 and (following := next(units, None)):
        value, unit = value / 1000, following
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def count(n: int, what: str) -> str:
    return f"{n:,} {what if n == 1 else what + 's'}"
