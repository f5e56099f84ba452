"""One detail of a picture through every lossy codec at the same rate, side by side, as a PNG to look at.

    python -m bench.crops kodim23.png --bpp 0.5 --at 400,150 OUT.png

Each codec's setting is searched until its rate is near the wanted one; the label says what came out. The sheet shows somebody's
photograph, so it stays out of the repository.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench import codecs, run
from bench.codecs import Codec, Pixels
from photoarc.folderbench import metrics

SIDE_PX, ZOOM, COLUMNS, LABEL_PX, GAP_PX = 160, 2, 3, 40, 8
STEPS = 7  # of bisection: a 128th of the range of settings


def at_rate(codec: Codec, pixels: Pixels, bpp: float) -> tuple[Pixels, float]:
    """The decoded picture and its rate, as near to `bpp` as the settings allow, by bisection between the codec's outer settings."""
    small, large = codec.settings[0], codec.settings[-1]  # codecs list their settings by rate
    tried = []
    for _ in range(STEPS):
        middle = (small + large) / 2
        payload = codec.encode(pixels, middle)
        rate = 8 * (len(payload) + codec.container(payload)) / pixels[..., 0].size
        tried.append((abs(rate - bpp), rate, payload))
        small, large = (middle, large) if rate < bpp else (small, middle)
    _, rate, payload = min(tried)
    return codec.decode(payload), rate


def sheet(pixels: Pixels, bpp: float, corner: tuple[int, int]) -> Image.Image:
    """The original's detail and every codec's, enlarged without smoothing, with codec, rate and PSNR of the whole picture below."""
    tiles = [("original", pixels)]
    for codec in codecs.CODECS:
        if codec.lossless:
            continue
        if hint := codecs.missing(codec):
            print(f"{codec.name} is left out: {hint}", file=sys.stderr)
            continue
        decoded, rate = at_rate(codec, pixels, bpp)
        tiles.append((f"{codec.name}\n{rate:.3f} bpp, {metrics.psnr(pixels, decoded):.2f} dB", decoded))
    width, height = SIDE_PX * ZOOM + GAP_PX, SIDE_PX * ZOOM + LABEL_PX + GAP_PX
    out = Image.new("RGB", (width * COLUMNS + GAP_PX, height * -(-len(tiles) // COLUMNS) + GAP_PX), "white")
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(15)
    left, top = corner
    for k, (label, picture) in enumerate(tiles):
        x, y = GAP_PX + k % COLUMNS * width, GAP_PX + k // COLUMNS * height
        detail = Image.fromarray(np.ascontiguousarray(picture[top : top + SIDE_PX, left : left + SIDE_PX]))
        out.paste(detail.resize((SIDE_PX * ZOOM, SIDE_PX * ZOOM), Image.Resampling.NEAREST), (x, y))
        draw.text((x, y + SIDE_PX * ZOOM + 2), label, fill="black", font=font, spacing=2)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="One detail through every lossy codec at the same rate.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("out", type=Path, help="PNG file to write")
    parser.add_argument("--bpp", type=float, default=0.5, help="rate; default 0.5")
    parser.add_argument("--at", default="0,0", metavar="X,Y", help="upper left corner of the detail in pixels; default 0,0")
    arguments = parser.parse_args()
    left, top = (int(number) for number in arguments.at.split(","))
    pixels = run.load(arguments.picture)
    if not (0 <= left <= pixels.shape[1] - SIDE_PX and 0 <= top <= pixels.shape[0] - SIDE_PX):
        sys.exit(f"--at: the detail of {SIDE_PX}x{SIDE_PX} pixels must lie in the picture of {pixels.shape[1]}x{pixels.shape[0]}")
    sheet(pixels, arguments.bpp, (left, top)).save(arguments.out)


if __name__ == "__main__":
    main()
