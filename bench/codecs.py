"""Every codec behind one small interface: pixels -> bytes -> pixels, one thread each.

Lossy peers run at their libraries' default effort and at settings spread over 25 to 45 dB on Kodak; lossless ones at the effort people
use for archives. A codec whose package is not installed is left out by name (`missing`), never in silence.
"""

from __future__ import annotations

import io
import itertools
import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB

AVIF_SETTINGS = (15, 30, 45, 55, 65, 75, 85, 92)
LEVELS = tuple(12.5 * k for k in range(9))  # photoarc's trained levels
ARCHIVED_NAMES = (b"photos/kodim01.png", b"photos/kodim02.png")


def _no_container(payload: bytes) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Codec:
    """One row group of the results.

    `container` gives the bytes that an archive spends on the picture beside the payload; picture files are complete by themselves.
    `program` or `package` must be there for the codec to run. `slow`: it runs only if it is asked for by name.
    """

    name: str
    settings: tuple[float, ...]
    encode: Callable[[Pixels, float], bytes]
    decode: Callable[[bytes], Pixels]
    lossless: bool = False
    package: str = ""
    program: str = ""
    container: Callable[[bytes], int] = _no_container
    slow: bool = False


# --- photoarc -------------------------------------------------------------------------------------------------------------------


def _photograph(pixels: Pixels) -> Any:
    from photoarc.member import SourceFormat
    from photoarc.pictures.image import Photograph

    return Photograph(pixels, None, SourceFormat.PNG, b"", b"")


def _fast_encode(pixels: Pixels, quality: float, effort: int = 0, tune: str = "ssim") -> bytes:
    """`photoarc pack --effort ... --tune ...`."""
    from photoarc.codecs import learned
    from photoarc.options import Tuning

    return learned.encode(_photograph(pixels), quality, Tuning[tune.upper()], effort=effort)[0]


def _fast_decode(payload: bytes) -> Pixels:
    from photoarc.codecs import learned

    return learned.decode_photo(payload).pixels


def _lzma_encode(pixels: Pixels, quality: float) -> bytes:
    from photoarc.codecs import latents

    return latents.encode(_photograph(pixels), quality)[0]


def _lzma_decode(payload: bytes) -> Pixels:
    from photoarc.codecs import latents

    return latents.decode_photo(payload).pixels


def _exact_encode(pixels: Pixels, _: float) -> bytes:
    """What `photoarc pack --mode lossless` keeps of the PNG file that Pillow writes."""
    from photoarc.options import CodingOptions, Mode
    from photoarc.pipeline import encode_file

    file = _png_encode(pixels, 0)
    coded = encode_file(file, CodingOptions(Mode.LOSSLESS))
    return bytes([coded.codec_id]) + len(file).to_bytes(8, "little") + coded.payload


def _exact_decode(payload: bytes) -> Pixels:
    from photoarc import codecs

    return _open(codecs.get(payload[0]).decode(payload[9:], int.from_bytes(payload[1:9], "little")))


def _archive_cost(payload: bytes) -> int:
    """Bytes by which an archive grows beyond the payload when a second photograph is added: chunk, record, padding, index entry."""
    from blake3 import blake3

    from photoarc import codecs
    from photoarc.container.writer import ArchiveWriter
    from photoarc.member import Kind, Member, PhotoInfo, SourceFormat

    photo = PhotoInfo(768, 512, 38.42, 62.5, 1, SourceFormat.PNG)
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 2):
            path = Path(folder) / f"{count}.pha"
            with ArchiveWriter(path, archive_id=bytes(16)) as writer:
                for name in ARCHIVED_NAMES[:count]:
                    digest = blake3(payload + name).digest()
                    time_ns = 1_700_000_000_123_456_789 + digest[0] * 997_000_001
                    size = len(payload) * 4 + digest[1]
                    member = Member(
                        name=name,
                        kind=Kind.FILE,
                        mode=0o644,
                        mtime_ns=time_ns,
                        size_bytes=size,
                        digest=digest,
                        codec_id=codecs.LEARNED,
                        payload_bytes=len(payload),
                        parts=1,
                        photo=photo,
                    )
                    writer.add(member, [payload])
            sizes.append(path.stat().st_size)
    return sizes[1] - sizes[0] - len(payload)


def _exact_cost(payload: bytes) -> int:
    return _archive_cost(payload[9:]) - 9


# --- Pillow ---------------------------------------------------------------------------------------------------------------------


def _save(pixels: Pixels, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format, **options)
    return file.getvalue()


def _open(data: bytes, *formats: str) -> Pixels:
    with Image.open(io.BytesIO(data), formats=formats or ("JPEG", "JPEG2000", "WEBP", "AVIF", "PNG")) as picture:
        return np.asarray(picture.convert("RGB"))


def _jpeg_encode(pixels: Pixels, quality: float) -> bytes:
    return _save(pixels, "JPEG", quality=int(quality))


def _webp_encode(pixels: Pixels, quality: float) -> bytes:
    return _save(pixels, "WEBP", quality=int(quality))


def _jpeg_best_encode(pixels: Pixels, quality: float) -> bytes:
    """The most that libjpeg-turbo does: progressive, chroma in full, Huffman tables of its own."""
    return _save(pixels, "JPEG", quality=int(quality), subsampling="4:4:4", progressive=True, optimize=True)


def _avif_encode(pixels: Pixels, quality: float, speed: int = 6, tune: str = "iq") -> bytes:
    """Speed 6 and tune=iq are Pillow's and libavif's own defaults."""
    return _save(pixels, "AVIF", quality=int(quality), max_threads=1, subsampling="4:4:4", speed=speed, advanced={"tune": tune})


def _jpegli_encode(pixels: Pixels, quality: float) -> bytes:
    import pyjpegli

    height, width, _ = pixels.shape
    return bytes(pyjpegli.encode(pixels.tobytes(), width, height, int(quality)))


def _jpeg2000_encode(pixels: Pixels, ratio: float) -> bytes:
    """`ratio`: of raw to coded bytes; 9/7 wavelet with the colour transform."""
    return _save(pixels, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=1, no_jp2=True)


def _heic_encode(pixels: Pixels, quality: float) -> bytes:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return _save(pixels, "HEIF", quality=int(quality))


def _heic_decode(data: bytes) -> Pixels:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return _open(data, "HEIF")


def _png_encode(pixels: Pixels, _: float) -> bytes:
    return _save(pixels, "PNG", optimize=True)


def _webp_lossless_encode(pixels: Pixels, _: float) -> bytes:
    return _save(pixels, "WEBP", lossless=True, quality=75, method=4)


# --- JPEG XL --------------------------------------------------------------------------------------------------------------------


def _jpegxl_encode(pixels: Pixels, distance: float) -> bytes:
    import pyjpegxl

    pyjpegxl.set_num_threads(1)
    height, width, _ = pixels.shape
    return bytes(pyjpegxl.encode(pixels.tobytes(), width, height, quality=distance, speed=pyjpegxl.EncoderSpeed.Squirrel, num_channels=3))


def _jpegxl_lossless_encode(pixels: Pixels, _: float) -> bytes:
    import pyjpegxl

    pyjpegxl.set_num_threads(1)
    height, width, _ = pixels.shape
    return bytes(pyjpegxl.encode(pixels.tobytes(), width, height, lossless=True, speed=pyjpegxl.EncoderSpeed.Squirrel, num_channels=3))


def _jpegxl_decode(data: bytes) -> Pixels:
    import pyjpegxl

    _, pixels = pyjpegxl.decode_to_numpy(data)
    return np.asarray(pixels)[:, :, :3]


# --- general compressors on the raw pixels --------------------------------------------------------------------------------------


def ppm(pixels: Pixels) -> bytes:
    height, width, _ = pixels.shape
    return b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes()


def _from_ppm(data: bytes) -> Pixels:
    _, size, _, body = data.split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(body, np.uint8).reshape(height, width, 3)


def _xz_encode(pixels: Pixels, _: float) -> bytes:
    return lzma.compress(ppm(pixels), preset=9)


def _xz_decode(data: bytes) -> Pixels:
    return _from_ppm(lzma.decompress(data))


def _7z_encode(pixels: Pixels, _: float) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "photo.ppm").write_bytes(ppm(pixels))
        command = ["7zz", "a", "-mx=9", "-mmt=1", "-bso0", "-bsp0", "photo.7z", "photo.ppm"]
        subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
        return Path(folder, "photo.7z").read_bytes()


def _7z_decode(data: bytes) -> Pixels:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "photo.7z").write_bytes(data)
        command = ["7zz", "e", "-so", "-bsp0", "photo.7z"]
        return _from_ppm(subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout)


def _with_efforts(name: str, encode: Callable[..., bytes]) -> Iterator[Codec]:
    yield Codec(name, LEVELS, encode, _fast_decode, container=_archive_cost)
    for effort in (7, 8, 9):
        yield Codec(f"{name}-{effort}", LEVELS, partial(encode, effort=effort), _fast_decode, container=_archive_cost, slow=True)


CODECS: tuple[Codec, ...] = (
    *_with_efforts("photoarc-fast", _fast_encode),
    *_with_efforts("photoarc-psnr", partial(_fast_encode, tune="psnr")),
    Codec("photoarc-lzma", LEVELS, _lzma_encode, _lzma_decode, container=_archive_cost),
    Codec("jpeg", (10, 20, 35, 50, 65, 75, 85, 90, 95), _jpeg_encode, _open),
    Codec("jpeg-best", (10, 20, 35, 50, 65, 75, 85, 90, 95), _jpeg_best_encode, _open),
    Codec("jpegli", (10, 20, 35, 50, 65, 75, 85, 90, 95), _jpegli_encode, _open, package="pyjpegli"),
    Codec("webp", (5, 20, 35, 50, 65, 75, 85, 95), _webp_encode, _open),
    Codec("avif", AVIF_SETTINGS, _avif_encode, _open),
    Codec("avif-4", AVIF_SETTINGS, partial(_avif_encode, speed=4), _open),
    Codec("avif-psnr", AVIF_SETTINGS, partial(_avif_encode, tune="psnr"), _open),
    Codec("avif-psnr-4", AVIF_SETTINGS, partial(_avif_encode, speed=4, tune="psnr"), _open),
    Codec("jpeg2000", (120, 60, 35, 22, 14, 9, 7, 5.5), _jpeg2000_encode, _open),
    Codec("jpegxl", (10, 6, 4, 2.5, 1.5, 1, 0.6, 0.3), _jpegxl_encode, _jpegxl_decode, package="pyjpegxl"),
    Codec("heic", (10, 25, 40, 50, 60, 70, 80, 90), _heic_encode, _heic_decode, package="pillow_heif"),
    Codec("photoarc-lossless", (0,), _exact_encode, _exact_decode, lossless=True, container=_exact_cost),
    Codec("jpegxl-lossless", (0,), _jpegxl_lossless_encode, _jpegxl_decode, lossless=True, package="pyjpegxl"),
    Codec("webp-lossless", (0,), _webp_lossless_encode, _open, lossless=True),
    Codec("png", (0,), _png_encode, _open, lossless=True),
    Codec("xz", (0,), _xz_encode, _xz_decode, lossless=True),
    Codec("7z", (0,), _7z_encode, _7z_decode, lossless=True, program="7zz"),
)


def missing(codec: Codec) -> str:
    """What must be installed for the codec to run, in words; "" if it can."""
    if codec.package and find_spec(codec.package) is None:
        return f"pip install {codec.package.replace('_', '-')}"
    if codec.program and shutil.which(codec.program) is None:
        return f"install the program {codec.program}"
    return ""


def select(names: Sequence[str]) -> list[Codec]:
    """Codecs by name, all but the slow ones if none is named. Raises KeyError for an unknown name."""
    known = {codec.name: codec for codec in CODECS}
    return [known[name] for name in names] if names else [codec for codec in CODECS if not codec.slow]


def thinned(settings: tuple[float, ...]) -> tuple[float, ...]:
    """Every other setting, for the quick run."""
    return tuple(itertools.islice(settings, 0, None, 2)) if len(settings) > 1 else settings
