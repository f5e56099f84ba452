"""What a file is that is no archive of ours, told by its first bytes: for messages only."""

from __future__ import annotations

from photoarc.pictures.kinds import PictureKind, box_brand, kind_of, riff_form

_STARTS = (
    (b"PK\x03\x04", "a ZIP file"),
    (b"PK\x05\x06", "a ZIP file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (b"Rar!\x1a\x07", "a RAR file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x04\x22\x4d\x18", "an LZ4 file"),
    (b"hsqs", "a SquashFS image"),
    (b"8BPS", "a Photoshop picture"),
    (b"%PDF-", "a PDF file"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (b"ID3", "an MP3 file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_RIFF = {b"AVI ": "an AVI film", b"WAVE": "a WAV file"}


def what_it_is(head: bytes) -> str:
    """`a ZIP file`, of the first 512 bytes of a file; empty if nothing is known."""
    if not head:
        return "an empty file"
    if not head.strip(b"\0"):
        return "a file that starts with zeros"
    if head[257:262] == b"ustar":
        return "a tar file"
    if kind := kind_of(head):
        return f"{'an' if kind is PictureKind.AVIF else 'a'} {kind} picture"
    if box_brand(head):
        return "an MP4 or QuickTime film"
    if form := riff_form(head):
        return _RIFF.get(form, "a RIFF file")
    found = next((name for start, name in _STARTS if head.startswith(start)), "")
    return found or ("a text file" if _is_text(head) else "")


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not just a character that is cut
            return False
        text = head[: error.start].decode()
    return not any(ord(letter) < 32 and letter not in "\t\n\r\f\x1b" for letter in text)
