"""What every bit-exact codec owes a payload with a changed byte: a PayloadError, or as many bytes as the file had."""

from pathlib import Path

from hypothesis import strategies as st

from photoarc.errors import PayloadError


def check_a_changed_byte(decode, payload, size_bytes, data, head_bytes=0):
    """One byte, drawn; half of the time among the first `head_bytes`, where small changes do most."""
    bad = bytearray(payload)
    anywhere = st.integers(0, len(bad) - 1)
    at = data.draw(st.integers(0, head_bytes) | anywhere if head_bytes else anywhere)
    bad[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(bad), size_bytes)
    except PayloadError:
        return
    assert len(found) == size_bytes  # the caller compares the digest


def overwrite(path: Path, data: bytes | bytearray) -> Path:
    """Write in place: emptying the file first makes ext4 flush each version to the disk, three times slower here."""
    path.touch()
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()
    return path
