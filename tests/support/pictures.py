"""Pictures that the tests draw themselves: like photographs (smooth areas, edges, texture, sensor noise), and unlike them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageDraw


def photo(width, height, seed=0, noise=2.0):
    """(H, W, 3) uint8, deterministic: a lit scene of soft shapes, texture in some of them, sensor noise over all."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        a, b, c = rng.uniform(-0.25, 0.25, 3)
        scene[:, :, channel] = 128 + 90 * (a * x / width + b * y / height + c)
    for _ in range(12):
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(0.06, 0.35) * min(width, height)
        inside = 1 / (1 + np.exp(np.clip((np.hypot(x - cx, (y - cy) * rng.uniform(0.6, 1.6)) - radius) / rng.uniform(0.7, 4), -30, 30)))
        colour = rng.uniform(-70, 70, 3).astype(np.float32)
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(3, 15)
        grain = rng.uniform(0, 14) * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch)
        scene += inside[:, :, None] * (colour + grain[:, :, None])
    scene += rng.normal(0, noise, scene.shape).astype(np.float32)
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


def screenshot(width, height):
    """(H, W, 3) uint8: windows, lines and text on flat areas."""
    picture = Image.new("RGB", (width, height), (236, 239, 241))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, 28), fill=(38, 50, 56))
    for row in range(40, height - 20, 16):
        draw.text((12, row), f"{row:04d}  the quick brown fox jumps over the lazy dog " * 3, fill=(33, 33, 33))
    draw.rectangle((width // 2, height // 3, width - 20, height - 30), fill=(255, 255, 255), outline=(120, 144, 156))
    return np.asarray(picture)


def exif(orientation=1, text=b"photoarc test\0"):
    """EXIF as TIFF bytes: orientation and an image description."""
    at = 8 + 2 + 2 * 12 + 4
    rows = struct.pack("<HHII", 0x010E, 2, len(text), at) + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 2) + rows + bytes(4) + text


XMP = b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"/><?xpacket end="w"?>'


def icc(size=0):
    """An sRGB profile, padded to `size` bytes."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile + bytes(max(0, size - len(profile)))


def image(pixels):
    """Pillow image of (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) pixels."""
    return Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def jpeg(pixels, quality=90, segments=(), tail=b"", **options):
    """JPEG file; `segments` are (marker, body) pairs put after SOI and JFIF."""
    file = io.BytesIO()
    image(pixels).save(file, "JPEG", quality=quality, **options)
    coded = file.getvalue()
    head = 4 + int.from_bytes(coded[4:6], "big") if coded[2:4] == b"\xff\xe0" else 2
    spliced = b"".join(struct.pack(">BBH", 255, marker, len(body) + 2) + body for marker, body in segments)
    return coded[:head] + spliced + coded[head:] + tail


def progressive_jpeg(pixels, **options):
    """JPEG file in Pillow's scans: ten of a colour picture, six of a grey one."""
    return jpeg(pixels, progressive=True, **options)


def cmyk_jpeg(pixels):
    """JPEG file with four channels."""
    file = io.BytesIO()
    image(pixels).convert("CMYK").save(file, "JPEG")
    return file.getvalue()


def chunk(kind, body):
    """One PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(pixels, before=(), after=(), tail=b"", **options):
    """PNG file; `before` and `after` are (type, data) pairs put on either side of the picture data."""
    file = io.BytesIO()
    image(pixels).save(file, "PNG", **{"compress_level": 1, **options})
    coded = file.getvalue()
    middle = coded[33:-12]
    return b"".join((coded[:33], *(chunk(*c) for c in before), middle, *(chunk(*c) for c in after), coded[-12:], tail))


def webp(pixels, **options):
    """Lossless WebP file; options exif, xmp, icc_profile, or lossless=False."""
    file = io.BytesIO()
    image(pixels).save(file, "WEBP", **{"lossless": True, "method": 0, **options})
    return file.getvalue()


def bmp(pixels, **options):
    """BMP file."""
    file = io.BytesIO()
    image(pixels).save(file, "BMP", **options)
    return file.getvalue()
