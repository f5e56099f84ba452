"""A slow, plain decoder of `png` payloads: docs/format.md section 7.7 as code, with the standard library only.

    python docs/reference_png.py PAYLOAD SAMPLES > FILE.png     # SAMPLES: row by row as a JPEG XL decoder wrote them, 16 bits big-endian

The DEFLATE stream is made by reference_deflate.py, beside this file. Both share no code with photoarc and have no NumPy. What they leave
out is JPEG XL (ISO/IEC 18181): `split` gives that file, and any decoder makes samples of 8 or 16 bits of it. Where LZMA has the samples,
what is given for them does not matter.
"""

import lzma
import struct
import sys
import zlib
from pathlib import Path

from reference_deflate import deflated, number, tokens

HEAD = struct.Struct("<BBBBBBBBIIIII")


def split(payload: bytes) -> tuple[tuple[int, ...], bytes, bytes]:
    """Head, description, JPEG XL file or LZMA of the samples."""
    head = HEAD.unpack_from(payload)
    return head, unpacked(payload[HEAD.size : HEAD.size + head[12]]), payload[HEAD.size + head[12] :]


def unpacked(packed: bytes) -> bytes:
    """LZMA as in section 7.3."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << packed[0], "lc": packed[1] & 15, "lp": packed[1] >> 4, "pb": packed[2]}]
    return lzma.decompress(packed[3:], lzma.FORMAT_RAW, filters=filters)


# Filtered rows (W3C PNG section 9)


def filtered(samples: bytes, height: int, row: int, step: int, types: bytes) -> bytes:
    """The data of the DEFLATE stream: each row behind its filter type."""
    out, above = bytearray(), bytes(row)
    for y in range(height):
        here = samples[y * row : (y + 1) * row]
        out.append(types[y])
        for x in range(row):
            a, b, c = (here[x - step], above[x], above[x - step]) if x >= step else (0, above[x], 0)
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append(here[x] - (0, a, b, (a + b) // 2, paeth)[types[y]] & 255)
        above = here
    return bytes(out)


# The file


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def decode(payload: bytes, samples: bytes) -> bytes:
    """The PNG file of a payload and its decoded samples."""
    (version, level, memory, flags, channels, _, _, _, crc, width, height, length, _), description, coded = split(payload)
    assert version == 1
    assert len(description) == length
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return description[at - count : at]

    def numbers(form: str, count: int) -> list[int]:
        return [row[0] for row in struct.iter_unpack("<" + form, take(count * struct.calcsize(form)))]

    before_bytes, behind_bytes, idats, block_count, exception_count = numbers("I", 5)
    zlib_header, sizes, types = take(2), numbers("I", idats), take(height)
    kinds, counts, header_bits = numbers("B", block_count), numbers("I", block_count), numbers("H", block_count)
    gaps, lengths, distances = numbers("I", exception_count), numbers("H", exception_count), numbers("H", exception_count)
    headers = [number(int.from_bytes(take((bits + 7) // 8), "little"), bits) for bits in header_bits]
    before, behind = take(before_bytes), take(behind_bytes)
    assert at == length

    which = [sum(gaps[: k + 1]) for k in range(exception_count)]
    exceptions = dict(zip(which, zip(lengths, distances, strict=True), strict=True))
    step = channels * (2 if flags & 4 else 1)
    data = filtered(unpacked(coded) if flags & 8 else samples, height, width * step, step, types)
    every = tokens(data, level, memory, flags, exceptions)
    stream = zlib_header + deflated(data, every, list(zip(kinds, counts, headers, strict=True))) + zlib.adler32(data).to_bytes(4, "big")
    assert zlib.crc32(stream) == crc
    out = [before]
    for size in sizes:
        out.append(chunk(b"IDAT", stream[:size]))
        stream = stream[size:]
    return b"".join([*out, behind])


if __name__ == "__main__":
    sys.stdout.buffer.write(decode(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes()))
