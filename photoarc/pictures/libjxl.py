"""libjxl, through pyjpegxl where it is installed, else through imagecodecs: one picture at a time, on one thread.

There is no pyjpegxl for Linux on ARM. What one package writes, the other reads (tests/pictures/test_libjxl.py). imagecodecs tells nothing
of a file but its samples: JPEG XL files as sources need pyjpegxl. Both are imported where they are used, for they take long to load.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoarc.errors import PayloadError

Samples = NDArray[np.unsignedinteger[Any]]
FAST, USUAL, SLOW = 3, 7, 9  # libjxl's own efforts: thunder, squirrel, tortoise


def told(data: bytes) -> Any:
    """What libjxl says of a JPEG XL file: pyjpegxl's Metadata. Raises PayloadError where that package is missing."""
    package = _pyjpegxl()
    if package is None:
        raise PayloadError("JPEG XL is opened by the package pyjpegxl, which is not installed: pip install pyjpegxl")
    return package.probe(data)


def encode(samples: Samples, effort: int) -> bytes:
    """Samples (H, W, C) of 8 or 16 bits, contiguous -> lossless JPEG XL file. Raises what libjxl raises."""
    package = _pyjpegxl()
    if package is not None:
        speeds = {FAST: package.EncoderSpeed.Thunder, USUAL: package.EncoderSpeed.Squirrel, SLOW: package.EncoderSpeed.Tortoise}
        return bytes(package.encode_from_numpy(samples, lossless=True, speed=speeds[effort]))
    native = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
    return bytes(_imagecodecs().jpegxl_encode(native, lossless=True, effort=effort, usecontainer=False, numthreads=1))


def decode(coded: bytes) -> Samples:
    """JPEG XL file -> samples (H, W, C), turned as its codestream says. Raises what libjxl raises."""
    package = _pyjpegxl()
    samples: Samples = package.decode_to_numpy(coded)[1] if package is not None else _imagecodecs().jpegxl_decode(coded, numthreads=1)
    return samples[:, :, None] if samples.ndim == 2 else samples


def from_jpeg(data: bytes) -> bytes:
    """JPEG file -> JPEG XL file that gives it back. Raises what libjxl raises."""
    package = _pyjpegxl()
    if package is not None:
        return bytes(package.jpeg_to_jxl(data))
    return bytes(_imagecodecs().jpegxl_encode_jpeg(data, usecontainer=True, numthreads=1))


def to_jpeg(coded: bytes) -> bytes:
    """Inverse of from_jpeg. Raises what libjxl raises."""
    package = _pyjpegxl()
    return bytes(package.jxl_to_jpeg(coded) if package is not None else _imagecodecs().jpegxl_decode_jpeg(coded, numthreads=1))


def _pyjpegxl() -> ModuleType | None:
    try:
        import pyjpegxl
    except ImportError:
        return None
    pyjpegxl.set_num_threads(1)
    return pyjpegxl


def _imagecodecs() -> ModuleType:
    try:
        import imagecodecs
    except ImportError:
        raise PayloadError("JPEG XL needs the package pyjpegxl or imagecodecs, none of them is installed: pip install pyjpegxl") from None
    found: ModuleType = imagecodecs
    return found
