"""A benchmark's report as one page that needs nothing but itself, in the look of ``privacy-mllm report``."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.ablations.command import Command

try:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from PIL import Image

    from privacy_mllm.report import to_page
except ModuleNotFoundError as error:
    raise ImportError(f'The page of a benchmark needs {error.name}: pip install "zoopt-mo[dev]".') from error

SHRUNK = 0.6
"""Share of its own width down to which a picture shrinks before it scrolls, so that its letters stay readable."""
NUMBER = re.compile(r"-$|\?$|[-+<>]?\d")


def write_page(command: Command, text: str, figures: Mapping[Path, str]) -> Path:
    """Write ``NAME.html``: what the benchmark is, the command, the figures and the tables.

    Args:
        command: What was asked for.
        text: The report in Markdown, the command first; pictures that it names lie in the folder of results.
        figures: Pictures, and what each shows.

    Returns:
        The page's file.

    Raises:
        FileNotFoundError: If a picture is missing.
    """
    lead, _, rest = command.doc.strip().partition("\n")
    head, _, tables = text.partition("\n\n")
    shown = [f"<figure>{picture(file, alt)}</figure>" for file, alt in figures.items()]
    content = [to_html(rest, command.results), to_html(head, command.results), *shown, to_html(tables, command.results)]
    title = f"Benchmark: {command.name}{', quick form' if command.quick else ''}"
    file = command.file(".html")
    page = to_page("\n".join(content), title=title, lead=lead or command.name, command=command.line)
    file.write_text(page, encoding="utf-8")
    return file


def to_html(text: str, folder: Path) -> str:
    """Markdown as HTML: headings from the second level on, tables and pictures in boxes that scroll.

    Args:
        text: The text; HTML in it is shown as it is written.
        folder: Where its pictures lie.
    """
    parser = MarkdownIt("js-default")
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", lambda *_: "</table>\n</div>\n")
    parser.add_render_rule("image", _show_image)
    tokens = parser.parse(text)
    _level_headings(tokens)
    for start in (place for place, token in enumerate(tokens) if token.type == "table_open"):
        _mark_table(tokens, start)
    return str(parser.renderer.render(tokens, parser.options, {"folder": folder}))


def picture(file: Path, alt: str) -> str:
    """A picture within the page, in a box that scrolls.

    Args:
        file: The picture.
        alt: What it shows.

    Raises:
        FileNotFoundError: If there is none.
    """
    with Image.open(file) as image:
        width, height = image.size
    kind = mimetypes.guess_type(file.name)[0]
    source = f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
    size = f'width="{width}" height="{height}" style="min-width: {SHRUNK * width:.0f}px"'
    return f'{_box("span", alt)}<img src="{source}" alt="{escape(alt)}" {size}></span>'


def _box(tag: str, label: str) -> str:
    """The beginning of a box that scrolls, also by keyboard."""
    return f'<{tag} class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">'


def _open_table(_: object, tokens: Sequence[Token], place: int, *__: object) -> str:
    return f"{_box('div', tokens[place].meta['label'])}\n<table>\n"


def _show_image(_: object, tokens: Sequence[Token], place: int, __: object, env: Mapping[str, Path]) -> str:
    return picture(env["folder"] / str(tokens[place].attrs["src"]), tokens[place].content)


def _level_headings(tokens: Sequence[Token]) -> None:
    """Make the highest heading the second level, the next one the third, and so on."""
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close")]
    levels = sorted({token.tag for token in headings})
    for token in headings:
        token.tag = f"h{2 + levels.index(token.tag)}"


def _mark_table(tokens: Sequence[Token], start: int) -> None:
    """Name a table by the text before it, say what its heads are heads of, and put numbers to the right."""
    told = next((token for token in reversed(tokens[:start]) if token.type == "inline"), None)
    tokens[start].meta["label"] = f"Table: {_words(told)}" if told is not None else "Table"
    heads, *lines = _cells(tokens, start)
    for opening, _, _ in heads:
        opening.attrSet("scope", "col")
    for (opening, _, closing), *_ in lines:
        opening.tag = closing.tag = "th"
        opening.attrSet("scope", "row")
    for head, *column in list(zip(heads, *lines, strict=True))[1:]:
        if all(NUMBER.match(inline.content) for _, inline, _ in column):
            for opening, _, _ in (head, *column):
                opening.attrSet("class", "number")


def _cells(tokens: Sequence[Token], start: int) -> list[list[tuple[Token, Token, Token]]]:
    """Opening, content and closing of every cell of a table, by line."""
    lines: list[list[tuple[Token, Token, Token]]] = []
    for place in range(start, len(tokens)):
        if tokens[place].type == "table_close":
            break
        if tokens[place].type == "tr_open":
            lines.append([])
        elif tokens[place].type in ("th_open", "td_open"):
            lines[-1].append((tokens[place], tokens[place + 1], tokens[place + 2]))
    return lines


def _words(inline: Token) -> str:
    """The text of a paragraph without its marks."""
    return "".join(child.content for child in inline.children or [])
