"""PNG files as their writers differ: colour types, depths, filters, settings of zlib, chunks around the stream."""

import struct
import zlib

import numpy as np
import pictures

from photoarc.codecs import png

PHOTO = pictures.photo(160, 120)
ALPHA = np.dstack([PHOTO, PHOTO[:, :, 0]])
DEEP = (PHOTO.astype(np.uint16) * 200).astype(">u2").view(np.uint8)  # (H, W, 6): samples of 16 bits
DEEP_ALPHA = np.dstack([DEEP, DEEP[:, :, :2]])


def drawing():
    """Flat rectangles, (H, W, 3)."""
    pixels = np.full((160, 200, 3), 255, np.uint8)
    rng = np.random.default_rng(4)
    for top, left, height, width in rng.integers(5, 120, (12, 4)):
        pixels[top : top + height // 2, left : left + width // 2] = rng.integers(0, 256, 3)
    return pixels


DRAWING = drawing()
TILES = np.tile(np.random.default_rng(6).integers(0, 64, (24, 24, 1), np.uint8), (2, 8, 1))
NUMBERS = (PHOTO[:, :, :1] >> 3) * 5 % 64  # of the colours of a palette


def filtered(pixels):
    """Rows with the five filter types in turn, written out for one byte after the other."""
    height, width, step = pixels.shape
    rows = pixels.reshape(height, -1).astype(int)
    out = bytearray()
    for y in range(height):
        out.append(y % 5)
        for x in range(width * step):
            a = rows[y, x - step] if x >= step else 0
            b = rows[y - 1, x] if y else 0
            c = rows[y - 1, x - step] if y and x >= step else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append((rows[y, x] - (0, a, b, (a + b) // 2, paeth)[y % 5]) % 256)
    return bytes(out)


def png_file(pixels, colour, level=6, memory=8, idat=8192, tail=b"", strategy=zlib.Z_DEFAULT_STRATEGY, depth=8):
    """`pixels`: (H, W, bytes of a pixel); below 8 bits (H, bytes of a row, 1)."""
    made = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
    return png_around(made.compress(filtered(pixels)) + made.flush(), pixels, colour, idat, tail, depth)


def png_around(stream, pixels, colour, idat=8192, tail=b"", depth=8):
    height, width, _ = pixels.shape
    width = width * 8 // depth if depth < 8 else width
    chunks = [pictures.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)), pictures.chunk(b"tEXt", b"Title\0x")]
    chunks += [pictures.chunk(b"PLTE", bytes(range(192)))] * (colour == 3)
    chunks += [pictures.chunk(b"IDAT", stream[at : at + idat]) for at in range(0, len(stream), idat)]
    return b"".join((png.SIGNATURE, *chunks, pictures.chunk(b"tIME", bytes(7)), pictures.chunk(b"IEND", b""), tail))
