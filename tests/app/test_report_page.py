"""The page in a real browser: it works by hand and by keyboard, for every eye, and talks to nobody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from privacy_mllm.report import write_report
from tests.app.report_runs import make_comparison, make_run
from tests.browser import CONTRASTS, DESK, NAMELESS, PHONE, WIDTHS, launched, loaded_quietly

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module", params=["one run", "two runs and a comparison"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    runs = [make_run(folder, "first")]
    if request.param != "one run":
        runs += [shutil.copytree(runs[0], folder / "second"), make_comparison(folder / "compare")]
    write_report(runs, folder / "report.html", command="privacy-mllm report")
    return folder / "report.html"


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with browser.new_context(viewport=DESK) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(file.as_uri())
        yield page


def test_the_page_loads_without_an_error_and_asks_nobody_for_anything(browser: Browser, file: Path) -> None:
    with loaded_quietly(browser, file) as page:
        assert page.evaluate("document.documentElement.classList.contains('js')")


def test_a_request_that_were_planted_would_be_stopped_by_the_page_itself(browser: Browser, file: Path) -> None:
    planted = file.with_name("planted.html")
    picture = '<img alt="" src="https://example.org/spy.png">'
    planted.write_text(file.read_text(encoding="utf-8").replace("<main", f"{picture}<main"), encoding="utf-8")
    said: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(planted.as_uri())
    assert any("Content Security Policy" in text for text in said)


def test_the_slider_moves_by_keyboard_and_by_pointer(page: Page) -> None:
    slider, raw = page.locator(".pair input").first, page.locator(".pair .before").first
    half = raw.screenshot()
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert slider.input_value() == "60"
    assert slider.get_attribute("aria-valuetext") == "60 percent raw"
    assert raw.screenshot() != half
    page.keyboard.press("Home")
    assert slider.input_value() == "0"
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.02 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert 70 <= int(slider.input_value()) <= 80


def test_at_its_ends_the_slider_shows_one_picture_alone(page: Page) -> None:
    page.add_style_tag(content=".divider { visibility: hidden }")
    pair = page.locator(".pair").first
    shown = []
    for share, hidden in (("0", "before"), ("100", "after")):
        pair.locator("input").fill(share)
        shown.append(pair.screenshot())
        rule = page.add_style_tag(content=f".pair .{hidden} {{ visibility: hidden }}")
        assert pair.screenshot() == shown[-1]
        rule.evaluate("rule => rule.remove()")
    assert shown[0] != shown[1]


def test_where_the_keyboard_is_can_be_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.locator(".pair input").first.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".pair").first.evaluate("pair => getComputedStyle(pair).outlineStyle") == "solid"


def test_a_point_of_the_chart_leads_to_its_row(page: Page) -> None:
    point = page.locator("#trade-off svg a").first
    target = point.get_attribute("href")
    point.focus()
    page.keyboard.press("Enter")
    assert page.url.endswith(target or "no target")
    assert page.locator("tr:target").count() == 1


def test_every_id_is_used_once_and_every_link_inside_leads_somewhere(page: Page) -> None:
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    targets = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
    )
    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)


def test_everything_has_a_name_for_who_does_not_see_it(page: Page) -> None:
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(heading => +heading.tagName[1])")
    assert all(after <= before + 1 for before, after in pairwise(levels))
    pictures = page.evaluate("[...document.querySelectorAll('img')].map(image => [image.src, image.alt])")
    texts = {text for _, text in pictures}
    assert len(texts) == len({(source, text) for source, text in pictures}) > 0  # one text, one picture
    assert all("the black box says" in text for text in texts)
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate("[...document.querySelectorAll('svg[role]')].every(s => s.querySelector('desc').textContent)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(browser: Browser, file: Path, scheme: str) -> None:
    with browser.new_context(viewport=DESK, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        found = page.evaluate(CONTRASTS)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(found) > 100
    assert [part for part in found if part["contrast"] < part["least"]] == []
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_faint_text_would_be_noticed(page: Page) -> None:
    page.add_style_tag(content=".lead { color: #999999 }")
    assert [part["text"] for part in page.evaluate(CONTRASTS) if part["contrast"] < part["least"]] != []


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, file: Path) -> None:
    with browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.evaluate(WIDTHS) == [375, 375]
        widths = page.evaluate(
            "[...document.querySelectorAll('.pair')].map(pair => pair.getBoundingClientRect().width)"
        )
        assert all(250 < width <= 375 for width in widths)
        page.add_style_tag(content="main { width: 500px }")
        assert page.evaluate(WIDTHS)[0] > 375


def test_without_scripts_both_pictures_can_be_seen(browser: Browser, file: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        before, after = (page.locator(f".pair {part}").first.bounding_box() for part in (".before", ".after"))
        assert before is not None
        assert after is not None
        assert after["y"] >= before["y"] + before["height"]
        assert not page.locator(".pair input").first.is_visible()
