"""Codec 5, `solid`: small files of one kind back to back in one LZMA2 stream, so that each is coded with its neighbours in mind.

The stream is the payload of a GROUP chunk (docs/format.md section 4.7). The archive takes it apart: what it then hands on as the payload of
one member are that file's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from photoarc.codecs import raw_lzma, store

decode = store.decode


def encode_group(files: Sequence[bytes]) -> bytes:
    """Files -> payload of their group."""
    return raw_lzma.compress(b"".join(files)) if any(files) else b""


def decode_group(payload: bytes, sizes_bytes: Sequence[int]) -> list[bytes]:
    """Inverse of encode_group. Raises PayloadError if the payload is damaged or does not hold files of these sizes."""
    total = sum(sizes_bytes)
    joined = memoryview(raw_lzma.decompress(payload, total) if total else b"")
    files, at = [], 0
    for size_bytes in sizes_bytes:
        files.append(bytes(joined[at : at + size_bytes]))
        at += size_bytes
    return files
