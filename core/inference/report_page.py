"""What every report is made of: one HTML page with its style, its tables and bars."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from core import RESEARCH_ONLY, __version__
from core.errors import IsocenterError
from core.files import write_text

STYLE = (
    "body{font:14px/1.45 system-ui,sans-serif;margin:32px auto;max-width:1080px;padding:0 20px;color:#1b2128}"
    "h1{margin:0}h2{margin:28px 0 8px}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:4px 12px 4px 0;text-align:right;border-bottom:1px solid #d9dee5;white-space:nowrap}"
    "th{white-space:normal;vertical-align:bottom}td:first-child,th:first-child,td.text{text-align:left}.dim{color:#566170}.warn{color:#8a5d06}.bad{color:#b8323e}"
    "figure{display:inline-block;margin:0 16px 16px 0;width:260px;vertical-align:top}"
    "figure img{width:260px;background:#000;display:block}figcaption{font-size:12px;padding-top:4px}"
    "figure.chart{width:480px}.bar{height:10px;background:#4a5be0}td.track{width:260px}"
    ".wide{overflow-x:auto}pre{white-space:pre-wrap;font:13px/1.45 system-ui,sans-serif}"
)


def target_of(out: Path, name: str) -> Path:
    """The file to write: `out` itself, or one of that name in it where it is a folder. Raises IsocenterError."""
    target = out / name if out.is_dir() or not out.suffix else out
    if target.suffix.lower() not in (".html", ".htm"):
        raise IsocenterError("a report is written as HTML", where=out, mend="Give it a name that ends in .html.")
    return target


def write_page(target: Path, title: str, said: str, warnings: Iterable[str], parts: Iterable[str]) -> Path:
    """Write a report: its heading, a line on what was measured, warnings, and parts that are HTML already."""
    head = (
        f"<h1>{escape(title)}</h1><p class=dim>{escape(said)}</p><p class=warn>{escape(RESEARCH_ONLY)}</p>"
        + "".join(f"<p class=warn>{escape(text)}</p>" for text in warnings)
    )  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(
        target,
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(f'Evaluation of {title}')}</title>"
        f"<style>{STYLE}</style><body>{head}{''.join(parts)}<p class=dim>Isocenter {__version__}</p></body></html>\n",
    )
    return target


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already, its head plain text."""
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class=wide><table>{head_row(head)}{lines}</table></div>"


def head_row(titles: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<th>{escape(title)}</th>' for title in titles)}</tr>"


def bars(rows: Sequence[tuple[str, float, str]]) -> str:
    """Names with bars as long as their values, and what is written beside each."""
    most = max((abs(value) for _, value, _ in rows), default=0) or 1.0
    lines = "".join(
        f"<tr><td>{escape(name)}</td><td class=track><div class=bar style='width:{100 * max(value, 0) / most:.1f}%'>"
        f"</div></td><td>{escape(said)}</td></tr>"
        for name, value, said in rows
    )
    return f"<table>{lines}</table>"


def when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
