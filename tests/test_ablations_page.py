"""A benchmark's page holds its command, tables and figures, in a real browser too, and asks for nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.ablations import Command, read_command, table, write_report
from benchmarks.ablations.page import picture, to_html
from tests.browser import CONTRASTS, DESK, NAMELESS, PHONE, WIDTHS, launched, loaded_quietly

ROOT = Path(__file__).parents[1]
DOC = """What a thing is worth: the paper's table 0.

Every thing is tried, and ``kept``.
"""
HEADS = ["thing", "utility", *(f"leakage of attribute {number}" for number in range(12))]
LINES = [[name, "-", *["12.5 (1.0 to 20.0)"] * 12] for name in ("ours <b>", "theirs")]
PARTS = [
    "### Things",
    "Right answers in percent:",
    table(HEADS, LINES),
    "#### Settings",
    "Steps that the tuning chose:",
    table(["step", "thing"], [["0.1", "ours"], ["1", "theirs"]]),
]


def command_in(folder: Path, *words: str) -> Command:
    return read_command("thing", DOC, ["--results", str(folder), *words], seeds=2, quick_seeds=1)


def draw(file: Path, width: int = 1300) -> Path:
    Image.new("RGB", (width, 500), "white").save(file)
    return file


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_page_names_the_command_the_commit_and_what_the_benchmark_is(tmp_path):
    command = command_in(tmp_path, "--quick")
    head, _, _ = write_report(command, PARTS).partition("\n")
    page = command.file(".html").read_text(encoding="utf-8")
    assert f"<code>{command.line}</code>{head.removeprefix(f'`{command.line}`')}" in page
    assert "<h1>Benchmark: thing, quick form</h1>" in page
    assert "What a thing is worth: the paper&#39;s table 0.</p>" in page
    assert "<code>kept</code>" in page


def test_the_picture_of_the_benchmarks_name_stands_in_the_page_and_is_told(tmp_path):
    command = command_in(tmp_path)
    write_report(command, PARTS)
    assert "<img" not in command.file(".html").read_text(encoding="utf-8")
    file = draw(command.file(".png"))
    write_report(command, PARTS)
    page = command.file(".html").read_text(encoding="utf-8")
    told = "Figure thing.png. What a thing is worth: the paper&#x27;s table 0."
    assert page.count(picture(file, "Figure thing.png. What a thing is worth: the paper's table 0.")) == 1
    assert f'alt="{told}"' in page


def test_several_pictures_stand_in_the_order_given_each_with_its_own_words(tmp_path):
    command = command_in(tmp_path)
    draw(command.file(".png"))
    figures = {draw(tmp_path / "b.png"): "The second.", draw(tmp_path / "a.png"): "The first."}
    write_report(command, PARTS, figures=figures)
    page = command.file(".html").read_text(encoding="utf-8")
    assert page.count("<img") == 2
    assert 0 < page.index('alt="The second."') < page.index('alt="The first."')


def test_a_picture_that_is_missing_is_an_error_and_the_tables_are_kept(tmp_path):
    command = command_in(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        write_report(command, PARTS, figures={tmp_path / "gone.png": "Nothing."})
    assert "| thing |" in command.file(".md").read_text(encoding="utf-8")


def test_tables_have_heads_numbers_to_the_right_and_the_name_of_the_text_before_them(tmp_path):
    page = to_html("Right answers in `%`:\n\n" + table(["a", "b", "c"], [["x", "1.5", "y"], ["2", "-", "3"]]), tmp_path)
    assert 'aria-label="Table: Right answers in %:"' in page
    assert '<th scope="col">a</th>\n<th scope="col" class="number">b</th>\n<th scope="col">c</th>' in page
    assert '<th scope="row">x</th>\n<td class="number">1.5</td>\n<td>y</td>' in page
    assert '<th scope="row">2</th>' in page


def test_html_in_a_cell_is_text(tmp_path):
    page = to_html(table(["<script>alert(1)</script>"], [["<b>"]]), tmp_path)
    assert "<script" not in page
    assert "&lt;b&gt;" in page


def test_headings_begin_at_the_second_level_and_leave_none_out(tmp_path):
    page = to_html("### One\n\n##### Two\n\n### Three", tmp_path)
    assert page.split() == ["<h2>One</h2>", "<h3>Two</h3>", "<h2>Three</h2>"]


def test_a_picture_named_in_the_text_is_put_into_the_page(tmp_path):
    file = draw(tmp_path / "clips.png")
    assert picture(file, "Some clips") in to_html("![Some clips](clips.png)", tmp_path)


def test_a_package_that_is_missing_is_named_with_the_extra_that_has_it():
    code = "import sys; sys.modules['markdown_it'] = None; import benchmarks.ablations"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'needs markdown_it: pip install "zoopt-mo[dev]"' in done.stderr


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = command_in(tmp_path_factory.mktemp("thing"))
    draw(command.file(".png"))
    write_report(command, PARTS)
    return command.file(".html")


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with browser.new_context(viewport=DESK) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(file.as_uri())
        yield page


@pytest.mark.slow
def test_the_page_loads_without_an_error_and_asks_nobody_for_anything(browser: Browser, file: Path) -> None:
    with loaded_quietly(browser, file) as page:
        assert page.locator("img").evaluate("image => image.naturalWidth") == 1300


@pytest.mark.slow
def test_everything_has_a_name_for_who_does_not_see_it(page: Page) -> None:
    assert page.locator("h1").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(heading => +heading.tagName[1])")
    assert levels == [1, 2, 3]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('img')].every(image => image.alt)")
    assert page.locator("thead th[scope=col]").all_inner_texts() == [*HEADS, "step", "thing"]
    assert page.locator("tbody th[scope=row]").all_inner_texts() == ["ours <b>", "theirs", "0.1", "1"]
    assert page.evaluate(NAMELESS) == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(browser: Browser, file: Path, scheme: str) -> None:
    with browser.new_context(viewport=DESK, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(file.as_uri())
        found = page.evaluate(CONTRASTS)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(found) > 40
    assert [part for part in found if part["contrast"] < part["least"]] == []
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.slow
def test_on_a_phone_wide_tables_and_pictures_scroll_in_their_own_boxes(browser: Browser, file: Path) -> None:
    with browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(file.as_uri())
        assert page.evaluate(WIDTHS) == [375, 375]
        boxes = page.evaluate(
            "[...document.querySelectorAll('.scroll')].map(box => [box.clientWidth, box.scrollWidth])"
        )
    assert [inside > outside for outside, inside in boxes] == [True, True, False]  # figure, wide table, narrow table
