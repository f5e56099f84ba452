from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoarc.errors import UnsafeName
from photoarc.names import display, safe_parts

EVERYWHERE = [
    b"", b"/", b"/etc/passwd", b"//server/share", b"..", b"../x", b"a/../b", b"a/..", b".", b"./a", b"a/.", b"a/./b", b"a//b", b"a/",
    b"a\0b", b"\0", b"x" * 256, b"ok/" + b"x" * 256, "ü".encode() * 128,
]  # fmt: skip
WINDOWS = [
    b"C:\\x", b"C:x", b"c:/x", b"\\\\server\\share", b"\\x", b"a\\..\\b", b"a\\b", b"CON", b"con.txt", b"dir/NUL", b"aux.jpg", b"COM1",
    b"lpt9.x", "COM¹".encode(), b"CON .txt", b"CONIN$", b"x.", b"x ", b"dir./x", b"a:b", b"a:$DATA", b"a*b", b"a?b", b"a<b", b"a|b",
    b'a"b', b"a\nb", b"a\x01b", b"\xff\xfe",
]  # fmt: skip
FINE = [
    b"a",
    b"a/b",
    b"...",
    b"..a",
    b"a..",
    b"-rf",
    b"a b",
    "Füße/日本語/👩‍👩‍👧".encode(),
    b"x" * 255,
    b"\xff",
    b"a\nb",
    b"CON",
    b"C:x",
    b"a\\b",
    b"~",
]


@pytest.mark.parametrize("name", EVERYWHERE)
@pytest.mark.parametrize("windows", [False, True])
def test_refused_everywhere(name: bytes, windows: bool) -> None:
    with pytest.raises(UnsafeName):
        safe_parts(name, windows=windows)


def test_the_reason_is_said() -> None:
    for name, reason in ((b"/etc", "absolute"), (b"a/../b", r"'\.\.'"), (b"x" * 256, "256 bytes"), (b"", "without a name")):
        with pytest.raises(UnsafeName, match=reason):
            safe_parts(name)


@pytest.mark.parametrize("name", WINDOWS)
def test_refused_on_windows_only(name: bytes) -> None:
    with pytest.raises(UnsafeName):
        safe_parts(name, windows=True)
    assert b"/".join(safe_parts(name, windows=False)) == name


@pytest.mark.parametrize("name", FINE)
def test_allowed_on_posix(name: bytes) -> None:
    assert b"/".join(safe_parts(name, windows=False)) == name


@given(st.binary(max_size=40), st.booleans())
def test_what_is_allowed_stays_below(name: bytes, windows: bool) -> None:
    try:
        parts = safe_parts(name, windows=windows)
    except UnsafeName:
        return
    assert b"/".join(parts) == name
    assert all(part not in (b"", b".", b"..") and not {0, ord("/")} & set(part) for part in parts)


def test_display() -> None:
    assert display(b"IMG_0001.JPG") == "IMG_0001.JPG"
    assert display("Screenshot 10.00\u202fAM.png".encode()) == "Screenshot 10.00\u202fAM.png"
    assert display(b"a\nb\tc\x1b[2J\\\xff") == "a\\nb\\tc\\x1b[2J\\\\\\xff"
    assert display("\u202egpj.exe".encode()) == "\\u202egpj.exe"
    assert display("a\x85".encode()) == "a\\u0085"  # not the same as the byte 0x85
    assert display("👩\u200d👧 \n".encode()) == "👩\u200d👧 \\n"


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_different_names_look_different_and_harmless(first: bytes, second: bytes) -> None:
    assert (display(first) == display(second)) == (first == second)
    assert not {"\n", "\r", "\x1b", "\x00", "\x7f", "\x9b"} & set(display(first))
    display(first).encode()  # no lone surrogates
