"""Metadata of WebP files come back as they were, chunk for chunk."""

import io

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc.pictures import image, metadata, webp
from photoarc.pictures.metadata import Item

PHOTO = pictures.photo(200, 150)
FIRST, SECOND = b"Exif\0\0" + pictures.exif(6), pictures.exif(8)


def with_chunks(*chunks, pixels=PHOTO, **options):
    """A WebP file with these (type, data) chunks."""
    alpha = pixels.shape[2] == 4
    return webp.join(pictures.webp(pixels, **options), [Item(*each) for each in chunks], pixels.shape[1], pixels.shape[0], alpha=alpha)


@pytest.mark.parametrize("options", [{}, {"lossless": False}])
def test_the_prefix_of_exif_and_second_chunks_come_back(options):
    profile = pictures.icc()  # has the time in it
    chunks = [(b"ICCP", profile), (b"EXIF", FIRST), (b"XMP ", pictures.XMP), (b"EXIF", SECOND), (b"XMP ", b"odd")]
    photo = image.photograph(with_chunks(*chunks, **options), recode=True)
    written = image.write(photo)
    assert [(item.key, item.body) for item in webp.split(written, lossy_too=True).metadata] == chunks
    with Image.open(io.BytesIO(written)) as picture:
        assert picture.getexif()[0x0112] == 6
        assert picture.info["icc_profile"] == profile
    for target in ("jpeg", "png"):
        with Image.open(io.BytesIO(image.write(photo, target))) as picture:
            assert picture.getexif()[0x0112] == 6  # the first, as other readers do


@pytest.mark.parametrize("options", [{}, {"lossless": False}])
@pytest.mark.parametrize("channels", [3, 4])
def test_files_are_written_as_libwebp_would(options, channels):
    pixels = pictures.photo(131, 97)
    if channels == 4:
        pixels = np.dstack((pixels, pixels[:, :, 0]))
    profile = pictures.icc()  # has the time in it
    kept = {"exif": pictures.exif(), "xmp": pictures.XMP, "icc_profile": profile}
    items = metadata.to_webp(metadata.Common(*kept.values()))
    joined = with_chunks(*((item.key, item.body) for item in items), pixels=pixels, **options)
    assert joined == pictures.webp(pixels, **kept, **options)
