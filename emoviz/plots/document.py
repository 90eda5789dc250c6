"""A report as sections of words, tables and figures, written as HTML or as Markdown."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Cell = str | int | float | None
NOTHING = "–"
_NUMBER = ' class="number"'
# Nothing is asked of a network: neither fonts nor scripts nor pictures.
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;line-height:1.2}h2{margin-top:2.2rem;border-bottom:1px solid var(--line)}
table{border-collapse:collapse;margin:.8rem 0;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}th.number,td.number{text-align:right;white-space:nowrap}
td.text{overflow-wrap:anywhere}
td.heat{text-align:center;min-width:2.4rem}
.figures{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:.5rem 0;flex:1 1 22rem;max-width:30rem}svg{width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:currentColor}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.2rem 0}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.4em}
.pictures{display:flex;flex-wrap:wrap;gap:.8rem;padding:0;list-style:none}
.pictures li{width:8.5rem;font-size:.8rem;overflow-wrap:anywhere}
.pictures img{width:100%;height:7rem;object-fit:contain;background:var(--soft)}
.note{opacity:.8}
@media print{:root{color-scheme:light}body{margin:0;max-width:none;font-size:11px}
h2{break-after:avoid}td{overflow-wrap:anywhere}table,figure,li{break-inside:avoid}.wide{overflow:visible}}
"""


@dataclass(frozen=True)
class DocumentTable:
    """Rows under a header; numbers come as they shall be read.

    Attributes:
        header: One a column.
        rows: Texts and numbers; None where there is nothing.
        shades: (rows, columns) -1 to 1, by which cells are shaded in HTML; None for those that are
            not.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    shades: Sequence[Sequence[float | None]] | None = None


@dataclass(frozen=True)
class Picture:
    """An image beside its caption."""

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: Its heading.
        words: Paragraphs.
        tables: Below them.
        figures: SVG, in HTML alone.
        pictures: In HTML alone.
        notes: How to read it.
    """

    title: str
    words: Sequence[str] = ()
    tables: Sequence[DocumentTable] = ()
    figures: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    lead: str
    sections: Sequence[Section] = field(default_factory=tuple)


def to_html(document: Document) -> str:
    """One file that asks nothing of a network; every foreign text is escaped."""
    inside = "".join(_html_section(section) for section in document.sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document.title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(document.title)}</h1><p>{escape(document.lead)}</p>{inside}</body></html>\n"
    )


def to_markdown(document: Document) -> str:
    """The same words and tables, without figures."""
    parts = [f"# {_plain(document.title)}", _plain(document.lead)]
    for section in document.sections:
        parts.append(f"## {_plain(section.title)}")
        parts += [_plain(text) for text in section.words]
        parts += [markdown_table(table) for table in section.tables]
        parts += [_plain(text) for text in section.notes]
    return "\n\n".join(parts) + "\n"


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many digits behind the point; a dash for none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None, signed: bool = False) -> str:
    """A share as percent with two digits; a dash for none."""
    if value is None:
        return NOTHING
    return f"{100 * value:+.2f} %" if signed else f"{100 * value:.2f} %"


def _html_section(section: Section) -> str:
    words = "".join(f"<p>{escape(text)}</p>" for text in section.words)
    tables = "".join(f'<div class="wide">{_html_table(table)}</div>' for table in section.tables)
    figures = f'<div class="figures">{"".join(section.figures)}</div>' if section.figures else ""
    notes = "".join(f'<p class="note">{escape(text)}</p>' for text in section.notes)
    pictures = "".join(_html_picture(picture) for picture in section.pictures)
    wall = f'<ul class="pictures">{pictures}</ul>' if pictures else ""
    inside = f"{words}{figures}{tables}{wall}{notes}"
    return f"<section><h2>{escape(section.title)}</h2>{inside}</section>"


def _html_picture(picture: Picture) -> str:
    data = base64.b64encode(picture.jpeg).decode("ascii")
    caption = escape(picture.caption)
    return f'<li><img alt="" src="data:image/jpeg;base64,{data}">{caption}</li>'


def _html_table(table: DocumentTable) -> str:
    numbers = [_holds_numbers(table, c) for c in range(len(table.header))]
    head = "".join(
        f'<th scope="col"{_NUMBER if numbers[c] else ""}>{escape(text)}</th>'
        for c, text in enumerate(table.header)
    )
    rows = []
    for r, row in enumerate(table.rows):
        shades = table.shades[r] if table.shades is not None else [None] * len(row)
        cells = "".join(_html_cell(cell, shades[c], numbers[c]) for c, cell in enumerate(row))
        rows.append(f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _html_cell(cell: Cell, shade: float | None, is_number: bool) -> str:
    text = escape(_text(cell))
    if shade is not None:
        colour = "91,79,179" if shade >= 0 else "217,130,43"
        style = f"background:rgba({colour},{min(abs(shade), 1) * 0.75:.2f})"
        return f'<td class="heat" style="{style}">{text}</td>'
    alone = is_number and (not isinstance(cell, str) or _is_number(cell))
    return f"<td{_NUMBER if alone else ''}>{text}</td>"


def _holds_numbers(table: DocumentTable, column: int) -> bool:
    """Whether most cells of a column are numbers; the first column names the row."""
    cells = [row[column] for row in table.rows]
    hits = sum(not isinstance(cell, str) or _is_number(cell) for cell in cells)
    return column > 0 and 2 * hits > len(cells)


def _is_number(text: str) -> bool:
    return text[:1] in "0123456789+-–[" and len(text) < 24


def _text(cell: Cell) -> str:
    if cell is None:
        return NOTHING
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def markdown_table(table: DocumentTable) -> str:
    """A table as Markdown."""
    lines = [[_plain(_text(cell)) for cell in line] for line in (table.header, *table.rows)]
    lines.insert(1, ["---"] * len(table.header))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    clean = " ".join(text.split())
    for sign in "\\`*_[]<>#|":
        clean = clean.replace(sign, f"\\{sign}")
    return clean
