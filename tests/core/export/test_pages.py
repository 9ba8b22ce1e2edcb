"""Pages of a PDF: what is written fits, names are set as they are, and the file tells nothing besides."""

from __future__ import annotations

import doctest

import pytest

from core.export import pages
from core.export.pages import Page, as_pdf, as_png, fit, width_mm, wrapped

LONG = "the quick brown fox jumps over the lazy dog " * 6


def test_doctests() -> None:
    assert doctest.testmod(pages).failed == 0


def test_lines_are_no_wider_than_asked_and_lose_no_word() -> None:
    lines = wrapped(LONG, 60, 9)
    assert len(lines) > 3
    assert all(width_mm(line, 9) <= 60 for line in lines)
    assert " ".join(lines).split() == LONG.split()


def test_a_word_that_is_too_long_is_cut_in_its_middle() -> None:
    name = "sub-0123_" + "x" * 200 + "_T1w.nii.gz"
    short = fit(name, 40, 9)
    assert width_mm(short, 9) <= 40
    assert short.startswith("sub-0123") and short.endswith(".gz") and "…" in short


def test_a_paragraph_keeps_to_its_lines() -> None:
    with pages.style():
        page = Page()
        below = page.paragraph(16, 50, LONG, 60, 9, most=2)
    assert len(page.words) == 2
    assert page.words[1].endswith("dog")
    assert below == pytest.approx(50 + 2 * 9 * pages.LEADING * pages.POINT_MM)


def test_a_name_is_set_as_it_is_and_the_file_says_only_who_made_it() -> None:
    with pages.style():
        page = Page()
        page.text(16, 30, "sub$x^2$_\\frac{1}{2}\n脳")
        content = as_pdf([page, Page()], "A report")
        picture = as_png(page)
    assert page.words == ["sub$x^2$_\\frac{1}{2} 脳"]
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page ") == 2
    assert b"A report" in content and b"/Creator (Isocenter" in content
    assert b"CreationDate" not in content and b"Producer" not in content
    assert picture.startswith(b"\x89PNG")
