"""Names of members: refuse what must not reach a file system, and show the rest so that a terminal survives it.

A name is bytes, '/'-separated, relative. The archive stores it as it was; nothing is normalised (docs/format.md section 4.1).
"""

from __future__ import annotations

import os
import unicodedata

from photoarc.errors import UnsafeName

MAX_PART_BYTES = 255  # NAME_MAX of every common file system

_WINDOWS_FORBIDDEN = frozenset(b'<>:"|?*\\') | frozenset(range(32))
_WINDOWS_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {f"{port}{n}" for port in ("COM", "LPT") for n in "123456789\u00b9\u00b2\u00b3"}
)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_JOINERS = "\u200c\u200d"  # invisible, but part of emoji and of Persian words


def safe_parts(name: bytes, *, windows: bool = os.name == "nt") -> tuple[bytes, ...]:
    """Path components of a member's name, safe to create one below the other inside the destination.

    Raises UnsafeName: empty, absolute, `.`/`..`/empty component, NUL, a component above 255 bytes; on Windows also what Windows
    gives a meaning of its own: drive letters, backslashes, streams, device names, trailing dots and spaces, control characters.
    """
    shown = display(name)
    if not name:
        raise UnsafeName("(empty name)", "a member without a name cannot be extracted")
    if name.startswith(b"/"):
        raise UnsafeName(shown, "the name is absolute; only names below the destination are extracted")
    parts = tuple(name.split(b"/"))
    for part in parts:
        if part in (b"", b".", b".."):
            raise UnsafeName(shown, f"the name has the component {display(part)!r}, which could lead out of the destination")
        if b"\0" in part:
            raise UnsafeName(shown, "the name has a NUL byte, which no file system can store")
        if len(part) > MAX_PART_BYTES:
            raise UnsafeName(shown, f"a component of the name has {len(part)} bytes; file systems allow {MAX_PART_BYTES}")
        if windows:
            _refuse_on_windows(shown, part)
    return parts


def _refuse_on_windows(shown: str, part: bytes) -> None:
    forbidden = _WINDOWS_FORBIDDEN.intersection(part)
    if forbidden:
        raise UnsafeName(shown, f"the name has {display(bytes(sorted(forbidden)))}, which Windows does not allow in names")
    if part.endswith((b".", b" ")):
        raise UnsafeName(shown, "a component of the name ends with a dot or a space, which Windows would drop")
    try:
        stem = part.decode("utf-8").split(".")[0].rstrip(" ").upper()
    except UnicodeDecodeError:
        raise UnsafeName(shown, "the name is not UTF-8, which Windows cannot store") from None
    if stem in _WINDOWS_DEVICES:
        raise UnsafeName(shown, f"{stem} is the name of a device on Windows")


def folded(name: bytes) -> bytes:
    """Key that is the same for names which some file system takes for one: case, accents in one or two characters, dots at the end."""
    parts = (part.rstrip(". ") or part for part in name.decode("utf-8", "surrogateescape").split("/"))
    decomposed = unicodedata.normalize("NFD", "/".join(parts))
    return unicodedata.normalize("NFD", decomposed.casefold()).encode("utf-8", "surrogateescape")


def shortened(stem: bytes, ending: bytes) -> bytes:
    """Both together; the stem loses characters at its end if a file system could not hold them as one component."""
    if len(stem) + len(ending) <= MAX_PART_BYTES:
        return stem + ending
    cut = MAX_PART_BYTES - len(ending)
    while cut > 1 and stem[cut] & 0xC0 == 0x80:  # not within a character
        cut -= 1
    return stem[:cut] + ending


def partial_prefix(name: bytes) -> bytes:
    """What the temporary names of an archive start with, before 8 random letters."""
    return name[: MAX_PART_BYTES - 17] + b".partial-"


def display(name: bytes) -> str:
    r"""Printable form of a name, different for different names.

    Undecodable bytes become `\x..`, control and invisible characters `\n`, `\x..`, `\u....`, a backslash `\\`. Spaces of any
    width stay (macOS puts U+202F into the names of screenshots).
    """
    text = name.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escape, text))


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs":
        return char
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
