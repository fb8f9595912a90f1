"""A real browser for the tests of pages, and what they ask of it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 700}

# For every element with text of its own: the least contrast that WCAG 2.2 AA asks for, and what it has.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("").trim();
    if (!text || !element.getClientRects().length || element.closest("script, style, title, desc")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(read(element.closest("svg") ? style.fill : style.color)), light(ground(element))];
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push({ text, contrast, least: large && !element.closest("svg") ? 3 : 4.5 });
  }
  return found;
}"""

NAMELESS = """() => [...document.querySelectorAll("a, button, input, select, summary, [tabindex], svg[role], table")]
  .filter((element) => {
    const names = [element.getAttribute("aria-label"), element.textContent, element.getAttribute("title")];
    const label = element.id && document.querySelector(`label[for="${element.id}"]`);
    return !names.some((name) => name && name.trim()) && !label;
  })
  .map((element) => element.outerHTML.slice(0, 120))"""

WIDTHS = "() => [document.documentElement.scrollWidth, innerWidth]"


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Chromium without a window; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium, or its path in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@contextlib.contextmanager
def loaded_quietly(browser: Browser, file: Path) -> Iterator[Page]:
    """A page from its file; afterwards it must have said nothing on the console and asked for nothing but itself.

    Args:
        browser: The browser.
        file: The page.
    """
    said: list[str] = []
    asked: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri(), wait_until="networkidle")
        yield page
    assert said == []
    assert {url for url in asked if not url.startswith("data:")} == {file.as_uri()}
