"""Small PDF documents of text and rules, in a font that every reader has: Latin letters, and nothing to embed."""

from __future__ import annotations

import unicodedata
import zlib
from typing import Final

_WIDTH, _HEIGHT, _MARGIN = 595, 842, 56
_LEADING: Final = 1.5
_PLAIN: Final = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 1015 667 667 "
    "722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 "
    "278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
_BOLD: Final = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333 333 584 584 584 611 975 722 722 "
    "722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 "
    "333 611 611 278 278 556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584"
)
_WIDTHS: Final = tuple({chr(32 + at): int(width) for at, width in enumerate(table.split())} for table in (_PLAIN, _BOLD))
_ODD: Final = {"\N{HORIZONTAL ELLIPSIS}": 1000, "\N{EM DASH}": 1000, "\N{RIGHT SINGLE QUOTATION MARK}": 222, "\N{MULTIPLICATION SIGN}": 584}
# Spaces of other widths that numbers are written with.
_SPACES: Final = str.maketrans("\u202f\u2009\u2007\xa0", "    ", "\u200e\u200f\u2066\u2067\u2068\u2069")
# Letters that are not made of another one and a mark.
_BARE: Final = str.maketrans("łŁıđĐħĦ", "lLidDhH")


def can_write(text: str) -> bool:
    """Tell whether a document can have all letters of a text."""
    try:
        text.translate(_SPACES).encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


class Document:
    """A document that is written from the top down; a page that is full is followed by another."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._pages: list[list[bytes]] = []
        self._y = 0
        self._turn()

    def space(self, points: int) -> None:
        """Leave some room."""
        self._y -= points

    def rule(self) -> None:
        """Draw a line from margin to margin."""
        self._need(24)
        self._y -= 10
        self._put(b"0.88 0.9 0.93 RG 0.7 w %d %d m %d %d l S" % (_MARGIN, self._y, _WIDTH - _MARGIN, self._y))
        self._y -= 8

    def text(self, text: str, *, size: int = 10, bold: bool = False) -> None:
        """Write a paragraph."""
        for line in _wrapped(text, size, _WIDTH - 2 * _MARGIN, bold=bold):
            self._down(size)
            self._write(_MARGIN, line, size, bold=bold)

    def line(self, name: str, value: str, *, size: int = 10, bold: bool = False) -> None:
        """Write a name on the left side and its value on the right one."""
        lines = _wrapped(value, size, (_WIDTH - 2 * _MARGIN) * 2 // 3, bold=bold)
        names = _wrapped(name, size, _WIDTH - 2 * _MARGIN - max(_width(each, size, bold=bold) for each in lines) - 16, bold=bold)
        for at in range(max(len(lines), len(names))):
            self._down(size)
            if at < len(names):
                self._write(_MARGIN, names[at], size, bold=bold)
            if at < len(lines):
                self._write(_WIDTH - _MARGIN - _width(lines[at], size, bold=bold), lines[at], size, bold=bold)

    def bytes(self) -> bytes:
        """Return the file."""
        count = len(self._pages)
        font = b"<< /Type /Font /Subtype /Type1 /BaseFont /%b /Encoding /WinAnsiEncoding >>"
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(b"%d 0 R" % (6 + 2 * at) for at in range(count)), count),
            font % b"Helvetica",
            font % b"Helvetica-Bold",
            b"<< /Title (%b) >>" % _escaped(self._title),
        ]
        for at, page in enumerate(self._pages):
            content = zlib.compress(b"\n".join(page), 9)
            objects.append(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources << /Font << /F0 3 0 R /F1 4 0 R >> >> >>"
                % (_WIDTH, _HEIGHT, 7 + 2 * at)
            )
            objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(content), content))
        return _file(objects)

    def _turn(self) -> None:
        self._pages.append([])
        self._y = _HEIGHT - _MARGIN

    def _need(self, points: int) -> None:
        if self._y - points < _MARGIN:
            self._turn()

    def _down(self, size: int) -> None:
        step = round(size * _LEADING)
        self._need(step)
        self._y -= step

    def _put(self, operators: bytes) -> None:
        self._pages[-1].append(operators)

    def _write(self, x: int, text: str, size: int, *, bold: bool) -> None:
        self._put(b"BT /F%d %d Tf %d %d Td (%b) Tj ET" % (bold, size, x, self._y, _escaped(text)))


def _width(text: str, size: int, *, bold: bool) -> int:
    """Return how wide a text is, in points; letters with an accent are as wide as those without."""
    widths = _WIDTHS[bold]
    total = 0
    for letter in text.translate(_SPACES):
        plain = unicodedata.normalize("NFD", letter)[0]
        total += widths.get(plain) or _ODD.get(letter, 556)
    return -(-total * size // 1000)


def _wrapped(text: str, size: int, room: int, *, bold: bool) -> list[str]:
    """Return a text in lines that fit, broken between words, and within one where it is longer than a line."""
    lines, line = [], ""
    for word in text.translate(_SPACES).split():
        rest = word
        while _width(rest, size, bold=bold) > room:
            fits = next(at for at in range(len(rest) - 1, 0, -1) if at == 1 or _width(rest[:at], size, bold=bold) <= room)
            lines, line = [*lines, *([line] if line else []), rest[:fits]], ""
            rest = rest[fits:]
        longer = f"{line} {rest}".strip()
        if _width(longer, size, bold=bold) > room:
            lines.append(line)
            longer = rest
        line = longer
    return [*lines, line]


def _escaped(text: str) -> bytes:
    """Return a text as a string of the file; letters that the font lacks lose their marks, or are question marks."""
    written = b"".join(_letter(each) for each in text.translate(_SPACES))
    return written.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)").replace(b"\r", b" ").replace(b"\n", b" ")


def _letter(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return unicodedata.normalize("NFD", letter.translate(_BARE))[0].encode("cp1252", "replace")


def _file(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
