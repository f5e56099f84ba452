"""Bracket expressions of patterns, `[a-z]`, `[!0-9]`, `[[:alpha:]]`, said so plainly that every library takes them as git does.

Libraries hand them to regular expressions, which know no classes, warn of sets in sets, and let `[!a]` take a slash: `photo[!0-9]*`
would leave out all of a folder called `photo`. What is written here is one set of ranges without a slash and without `!`.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Iterable

_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, (*range(32), 127))),
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
_NOBODY = "\0"  # in no name: it keeps what stands behind it from being first, where some signs have a meaning
_MOST_CASED = 1 << 16  # of a range, letters that are looked at for their other case

Range = tuple[int, int]


def plain_line(line: str, ignore_case: bool = False) -> str:
    """`plain` for a line of .gitignore, which may be a note."""
    return line if line.startswith("#") else plain(line, ignore_case)


def plain(pattern: str, ignore_case: bool = False) -> str:
    """A pattern with its bracket expressions said plainly, and nothing else changed; a bracket that none closes stands for itself.

    `ignore_case` adds the other case to the letters in brackets. Raises ValueError for classes that do not exist and ranges that run down.
    """
    pieces, at = list[str](), 0
    while at < len(pattern):
        if pattern[at] == "[":
            end = _end(pattern, at)
            pieces.append(_written(_ranges(pattern[at + 1 : end - 1], ignore_case) if end else [(ord("["), ord("["))]))
            end = end or at + 1
        else:
            end = min(at + (2 if pattern[at] == "\\" else 1), len(pattern))
            pieces.append(pattern[at:end])
        at = end
    return "".join(pieces)


def _end(pattern: str, at: int) -> int:
    """Behind the bracket that closes one; 0 if none does."""
    at += 2 if pattern[at + 1 : at + 2] in ("!", "^") else 1
    first = True
    while at < len(pattern):
        if pattern[at] == "]" and not first:
            return at + 1
        closed = pattern.find(":]", at + 2) if pattern.startswith("[:", at) else -1
        at = closed + 2 if closed >= 0 else at + (2 if pattern[at] == "\\" else 1)
        first = False
    return 0


def _ranges(inner: str, ignore_case: bool) -> list[Range]:
    """What stands in brackets as ranges of characters, the slash not among them."""
    negated = inner[:1] in ("!", "^")
    found, at = list[Range](), int(negated)
    while at < len(inner):
        closed = inner.find(":]", at + 2) if inner.startswith("[:", at) else -1
        if closed >= 0:
            name, at = inner[at + 2 : closed], closed + 2
            if name not in _CLASSES:
                raise ValueError(f"there is no class [:{name}:], only {', '.join(_CLASSES)}")
            found += [(ord(letter), ord(letter)) for letter in _CLASSES[name]]
            continue
        low, at = _letter(inner, at)
        high = low
        if inner[at : at + 1] == "-" and at + 1 < len(inner):
            high, at = _letter(inner, at + 1)
        if low > high:
            raise ValueError(f"the range {low}-{high} runs down")
        found.append((ord(low), ord(high)))
    if ignore_case:
        found += _other_case(found)
    return _without(found, [(0, 0), (ord("/"), ord("/"))]) if not negated else _without([(0, sys.maxunicode)], [*found, (0, 0), (47, 47)])


def _letter(inner: str, at: int) -> tuple[str, int]:
    """A letter, an escaped one too, and where the next stands."""
    at += inner[at] == "\\" and at + 1 < len(inner)
    return inner[at], at + 1


def _other_case(ranges: Iterable[Range]) -> list[Range]:
    letters = (chr(code).swapcase() for low, high in ranges for code in range(low, min(high, low + _MOST_CASED) + 1))
    return [(ord(letter), ord(letter)) for letter in letters if len(letter) == 1]


def _without(ranges: Iterable[Range], gone: Iterable[Range]) -> list[Range]:
    """Ranges in order, without overlaps, and without those that are gone."""
    kept = list[Range]()
    for low, high in sorted(ranges):
        if kept and low <= kept[-1][1] + 1:
            kept[-1] = kept[-1][0], max(high, kept[-1][1])
        else:
            kept.append((low, high))
    for first, last in gone:
        kept = [piece for low, high in kept for piece in ((low, min(high, first - 1)), (max(low, last + 1), high)) if piece[0] <= piece[1]]
    return kept


def _written(ranges: Iterable[Range]) -> str:
    """Brackets that mean the same in patterns of git, of a shell, and in regular expressions: `]` first, `-` last, neither ends a range."""
    first, middle, last = _NOBODY, "", ""
    for low, high in _split(_split(ranges, "-"), "]"):
        if (low, high) == (ord("-"), ord("-")):
            last = "-"
        elif (low, high) == (ord("]"), ord("]")):
            first = "]"
        else:
            middle += chr(low) if low == high else f"{chr(low)}-{chr(high)}"
    return f"[{first}{middle}{last}]"


def _split(ranges: Iterable[Range], sign: str) -> list[Range]:
    """The same ranges, with one sign standing for itself."""
    code = ord(sign)
    pieces = list[Range]()
    for low, high in ranges:
        parts = [(low, code - 1), (code, code), (code + 1, high)] if low <= code <= high else [(low, high)]
        pieces += [(start, stop) for start, stop in parts if start <= stop]
    return pieces
