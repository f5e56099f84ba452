"""Pictures that are no photographs: data, drawings, screens and charts, drawn by the tests. All must stay bit-exact."""

import colorsys
from collections.abc import Iterator

import numpy as np
from pictures import photo
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = [
    "the",
    "bus",
    "leaves",
    "at",
    "ten",
    "past",
    "eight",
    "from",
    "the",
    "square",
    "bring",
    "water",
    "boots",
    "and",
    "the",
    "map",
    "code",
    "is",
    "4711",
    "see",
    "you",
]


def all_of_them() -> Iterator[tuple[str, np.ndarray]]:
    """(name, (H, W, 1 or 3) uint8) of each."""
    for family in (_labels, _normals, _heights, _palettes, _screens, _texts, _charts, _mosaics, _plots, _synthetic):
        for name, pixels in family():
            yield f"{family.__name__[1:]} {name}", np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[:, :, None])


def for_jpeg() -> Iterator[tuple[str, np.ndarray]]:
    """Those that people keep as JPEG: screens, plots, text, charts, labels."""
    for family in (_screens, _texts, _plots):
        for name, pixels in family():
            yield f"{family.__name__[1:]} {name}", np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[:, :, None])


def labels(width, height, count, seed=0, smooth=False):
    """(H, W, 3): each pixel in the colour of the nearest of `count` points; `smooth`: edges of several colours."""
    rng = np.random.default_rng(seed)
    scale = 3 if smooth else 1
    y, x = np.mgrid[0 : height * scale, 0 : width * scale].astype(np.float32)
    x += 9 * scale * np.sin(y / (17 * scale))
    best, nearest = np.full(x.shape, np.inf, np.float32), np.zeros(x.shape, int)
    for k in range(count):
        distance = (x - rng.uniform(0, width * scale)) ** 2 + (y - rng.uniform(0, height * scale)) ** 2
        nearest[distance < best] = k
        best = np.minimum(best, distance)
    pixels = rng.integers(0, 256, (count, 3)).astype(np.uint8)[nearest]
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)) if smooth else pixels


def _labels():
    for count in (5, 50, 500):
        yield f"{count}", labels(320, 240, count, count)
        yield f"{count} smooth", labels(320, 240, count, count + 1, smooth=True)
        yield f"{count} grey", labels(320, 240, count, count + 2)[:, :, :1]
    for count, noise in ((12, 1), (25, 2), (60, 2)):
        noisy = labels(320, 240, count, count + 7) + np.random.default_rng(count).normal(0, noise, (240, 320, 3))
        yield f"{count} with noise", np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    small = labels(320, 240, 40, 3)[:, :, 0].astype(np.uint32)
    yield "numbers in 24 bits", np.stack([small * 7919 >> k & 255 for k in (0, 8, 16)], 2).astype(np.uint8)
    yield "as low numbers", np.repeat(labels(320, 240, 30, 8)[:, :, :1] % 21, 3, 2)
    segments = photo(320, 240, 5).reshape(60, 4, 80, 4, 3).mean((1, 3)).astype(np.uint8)
    yield "mean colours of cells", segments.repeat(4, 0).repeat(4, 1)


def terrain(width, height, seed=0, rough=1.0):
    """(H, W) float, 0..1: hills of several sizes."""
    rng = np.random.default_rng(seed)
    out = np.zeros((height, width), np.float32)
    for octave in range(2, 7):
        coarse = Image.fromarray(rng.normal(0, 1, (2**octave, 2**octave)).astype(np.float32))
        out += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) * rough / 2.1 ** (octave - 2)
    return (out - out.min()) / np.ptp(out)


def normals(height_map, strength):
    """(H, W, 3): unit vectors of a surface as bytes."""
    dy, dx = np.gradient(height_map * strength)
    n = np.stack([-dx, -dy, np.ones_like(dx)], 2)
    n /= np.linalg.norm(n, axis=2, keepdims=True)
    return np.rint(n * 127.5 + 127.5).astype(np.uint8)


def _normals():
    rng = np.random.default_rng(2)
    for seed, strength in enumerate((20, 80, 300)):
        yield f"hills {strength}", normals(terrain(320, 240, seed), strength)
    yield "rough", normals(terrain(320, 240, 4) + rng.normal(0, 0.01, (240, 320)).astype(np.float32), 80)
    y, x = np.mgrid[0:240, 0:320].astype(np.float32)
    yield "bricks", normals((np.minimum(x % 40, 5) + np.minimum(y % 20, 5)) / 10, 8)
    z2 = 100.0**2 - (x - 160) ** 2 - (y - 120) ** 2
    ball = np.stack([x - 160, y - 120, np.sqrt(np.maximum(z2, 0))], 2) / 100
    yield "ball", np.where(z2[:, :, None] > 0, np.rint(ball * 127.5 + 127.5), 0).astype(np.uint8)
    yield "ball on grey", np.where(z2[:, :, None] > 0, np.rint(ball * 127.5 + 127.5), 128).astype(np.uint8)
    noisy = rng.normal(0, 1, (240, 320, 3)).astype(np.float32)
    noisy /= np.linalg.norm(noisy, axis=2, keepdims=True)
    yield "in all directions", np.rint(noisy * 127.5 + 127.5).astype(np.uint8)
    yield "y down", np.where([False, True, False], 255 - normals(terrain(320, 240, 9), 100), normals(terrain(320, 240, 9), 100))


def _heights():
    for seed, metres in enumerate((300, 1500, 4000)):
        h = terrain(320, 240, seed, 1.0) * metres
        t = h + 32768
        yield f"Terrarium {metres}", np.stack([t // 256, t % 256, t * 256 % 256], 2).astype(np.uint8)
        v = np.uint32((h + 10000) * 10)
        yield f"Mapbox {metres}", np.stack([v >> 16, v >> 8 & 255, v & 255], 2).astype(np.uint8)
        d = np.uint32(h * 65535 / metres)
        yield f"high and low byte {metres}", np.stack([d >> 8, d & 255, d * 0], 2).astype(np.uint8)
        yield f"low byte first {metres}", np.stack([d & 255, d >> 8, d * 0], 2).astype(np.uint8)
        yield f"24 bits {metres}", np.stack([np.uint32(h / metres * 16777215) >> k & 255 for k in (16, 8, 0)], 2).astype(np.uint8)
    fine = np.uint32(terrain(320, 240, 8) * 16777215 * 0.01)
    yield "a small range in 24 bits", np.stack([fine >> k & 255 for k in (16, 8, 0)], 2).astype(np.uint8)


def _palettes():
    shot = Image.fromarray(photo(320, 240, 11, 3.0))
    for count in (16, 64, 128, 256):
        for dither in (Image.Dither.NONE, Image.Dither.FLOYDSTEINBERG):
            chosen = shot.quantize(count, Image.Quantize.MEDIANCUT)
            one = shot.quantize(palette=chosen, dither=dither)  # without a palette Pillow does not dither
            yield f"{count} dither {dither.value}", np.asarray(one.convert("RGB"))
        grey = np.asarray(shot.convert("L").quantize(count // 4).convert("L"))
        yield f"{count // 4} greys of {count}", grey
        yield f"{count // 4} greys of {count} as RGB", np.repeat(grey[:, :, None], 3, 2)
    web = np.asarray(shot.convert("P", palette=Image.Palette.WEB).convert("RGB"))
    yield "web colours", web
    yield "black and white, dithered", np.asarray(shot.convert("1").convert("L"))
    heat = terrain(320, 240, 3)
    hues = np.array([colorsys.hsv_to_rgb(0.7 * k / 255, 1, 1) for k in range(256)])
    yield "false colours", np.uint8(hues[np.uint8(heat * 255)] * 255)
    t = np.arange(256) / 255
    viridis = np.stack([0.27 - 0.6 * t + 1.3 * t**3, 0.9 * t**0.8, 0.33 + 0.9 * t - 1.1 * t**2.2], 1).clip(0, 1)
    yield (
        "false colours of noise",
        np.uint8(viridis[np.uint8(np.clip(heat * 255 + np.random.default_rng(1).normal(0, 9, heat.shape), 0, 255))] * 255),
    )
    noisy = np.clip(heat + np.random.default_rng(2).normal(0, 0.02, heat.shape), 0, 1)
    jet = np.stack([1.5 - np.abs(4 * noisy - centre) for centre in (3, 2, 1)], 2).clip(0, 1)
    yield "false colours of noise, more than 256", np.uint8(jet * 255)
    hot = np.stack([t * 3, t * 3 - 1, t * 3 - 2], 1).clip(0, 1)
    yield "false colours, hot", np.uint8(hot[np.uint8(heat * 255)] * 255)


def chat(width, height, share, seed=0, dark=False):
    """(H, W, 3): bubbles with smooth text and one photograph over `share` of it."""
    paper, ink, mine, yours = (
        ((18, 22, 26), (225, 228, 230), (0, 92, 75), (32, 44, 51))
        if dark
        else ((244, 246, 248), (20, 20, 20), (220, 248, 198), (255, 255, 255))
    )
    picture = Image.new("RGB", (width, height), paper)
    draw, font, rng = ImageDraw.Draw(picture), ImageFont.load_default(13), np.random.default_rng(seed)
    draw.rectangle((0, 0, width, 34), fill=(30, 110, 90))
    draw.text((10, 9), "12:34   Chat with the hiking group", font=font, fill="white")
    inner = min(width - 10, round(width * max(0.9, share)))
    tall = min(height - 40, round(share * width * height / inner))
    picture.paste(Image.fromarray(photo(inner, max(1, tall), seed, 3.0)), ((width - inner) // 2, 38))
    for y in range(46 + tall, height - 30, 40):
        left = 60 if rng.integers(2) else 12
        draw.rounded_rectangle((left, y, left + width * 0.75, y + 32), 9, fill=mine if left == 60 else yours)
        draw.text((left + 9, y + 8), " ".join(WORDS[k] for k in rng.integers(0, len(WORDS), 6)), font=font, fill=ink)
    return np.asarray(picture)


def windows(width, height, seed=0, wallpaper=True):
    """(H, W, 3): windows with text over a wallpaper that is a photograph."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(photo(width, height, seed, 2.0)) if wallpaper else Image.new("RGB", (width, height), (0, 90, 120))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    draw.rectangle((0, height - 26, width, height), fill=(32, 34, 38))
    for k in range(6):
        draw.rectangle((8 + 34 * k, height - 22, 30 + 34 * k, height - 5), fill=tuple(int(v) for v in rng.integers(60, 255, 3)))
    draw.text((width - 60, height - 20), "09:41", font=font, fill="white")
    left, top = int(rng.integers(10, width // 3)), int(rng.integers(10, height // 4))
    draw.rectangle((left, top, left + width // 2, top + height // 2), fill=(240, 240, 240), outline=(90, 90, 90))
    draw.rectangle((left, top, left + width // 2, top + 20), fill=(60, 100, 170))
    for row in range(top + 26, top + height // 2 - 14, 15):
        draw.text((left + 6, row), " ".join(WORDS[k] for k in rng.integers(0, len(WORDS), 5)), font=font, fill=(30, 30, 30))
    return np.asarray(picture)


def page(width, height, columns=1, size=12, ink=(0, 0, 0), paper=(255, 255, 255), seed=0):
    """(H, W, 3): lines of text."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), paper)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for column in range(columns):
        left, wide = 20 + column * (width - 20) // columns, (width - 20) // columns - 20
        for y in range(20, height - 20, round(size * 1.5)):
            line = " ".join(WORDS[k] for k in rng.integers(0, len(WORDS), 40))
            while draw.textlength(line, font) > wide:
                line = line.rpartition(" ")[0]
            draw.text((left, y), line, font=font, fill=ink)
    return np.asarray(picture)


def _screens():
    for k, share in enumerate((0.05, 0.15, 0.3, 0.45, 0.6, 0.75, 0.85, 0.9)):
        yield f"chat {share}", chat(360, 640, share, k)
        yield f"dark chat {share}", chat(360, 640, share, k, dark=True)
    for seed in range(3):
        yield f"windows over a photograph {seed}", windows(480, 320, seed)
        yield f"windows {seed}", windows(480, 320, seed, wallpaper=False)
    yield "terminal", page(480, 320, ink=(0, 220, 0), paper=(0, 0, 0))
    yield "editor", page(480, 320, ink=(210, 210, 210), paper=(30, 30, 30))
    browser = page(480, 400, 2, 11).copy()
    browser[60:160, 250:450] = photo(200, 100, 4)
    browser[220:320, 30:230] = photo(200, 100, 5)
    yield "browser", browser


def _texts():
    rng = np.random.default_rng(5)
    for k, (columns, size, noise, blur) in enumerate([(1, 12, 3, 1), (2, 11, 5, 1), (1, 16, 8, 2), (1, 24, 4, 2), (3, 10, 2, 1)]):
        pixels = np.asarray(Image.fromarray(page(480, 400, columns, size, seed=k)).reduce(blur), np.float32)[:, :, 0] * 0.78 + 24
        scan = np.clip(np.rint(pixels + rng.normal(0, noise, pixels.shape)), 0, 255).astype(np.uint8)
        yield f"scanned {k}", scan
        tint = np.stack([scan, scan, scan], 2) * np.array([1, 0.98, 0.93]) + rng.normal(0, 1, (*scan.shape, 3))
        yield f"scanned in colour {k}", np.clip(tint, 0, 255).astype(np.uint8)
        yield f"scanned, white {k}", np.clip((scan.astype(np.float32) - 30) * 1.25, 0, 255).astype(np.uint8)
    for shade in (30, 50):
        lit = page(480, 400, 1, 14, seed=shade)[:, :, 0] * 0.78 + 40 - shade * np.linspace(0, 1, 480)
        yield f"in light that fades by {shade}", np.clip(lit + rng.normal(0, 3, lit.shape), 0, 255).astype(np.uint8)
    yield "printed", page(480, 400)
    yield "fax", (page(480, 400)[:, :, 0] > 128).astype(np.uint8) * 255


def _charts():
    y, x = np.mgrid[0:256, 0:256].astype(np.float32)
    for name, cx, cy, k in (("in the middle", 127.5, 127.5, 256), ("in the corner", 0, 0, 512), ("aside", 90, 140, 380)):
        plate = np.rint(127.5 + 127.5 * np.cos(np.pi * ((x - cx) ** 2 + (y - cy) ** 2) / k)).astype(np.uint8)
        yield f"zone plate {name}", plate
        yield f"zone plate {name} as RGB", np.repeat(plate[:, :, None], 3, 2)
    for side in (1, 2, 3, 8, 32):
        checks = np.uint8((x // side + y // side) % 2)
        yield f"checks of {side}", checks * 255
        yield f"coloured checks of {side}", np.array([(200, 30, 40), (20, 60, 220)], np.uint8)[checks]
    ramp = np.uint8(x)
    yield "grey ramp", ramp
    yield "coloured ramp", np.stack([ramp, 255 - ramp, ramp // 2 + np.uint8(y) // 2], 2)
    yield "round ramp", np.uint8(np.hypot(x - 128, y - 120) * 1.3).clip(0, 255)
    yield "soft ramp", np.stack([np.uint8(80 + x / 8 + y / 19), np.uint8(90 + y / 7), np.uint8(200 - x / 9)], 2)
    yield "star", np.uint8(127.5 + 127.5 * np.sign(np.sin(36 * np.arctan2(y - 128, x - 128))))
    yield (
        "bars",
        np.uint8(np.array([[192] * 3, [192, 192, 0], [0, 192, 192], [0, 192, 0], [192, 0, 192], [192, 0, 0], [0, 0, 192], [16] * 3]))[
            np.uint8(x) // 32
        ],
    )
    yield "patches", np.random.default_rng(4).integers(20, 240, (4, 6, 3)).astype(np.uint8).repeat(60, 0).repeat(50, 1)
    yield "wheel", np.stack([np.uint8(127.5 + 127.5 * np.sin(np.arctan2(y - 128, x - 128) + k)) for k in (0, 2.1, 4.2)], 2)


def _mosaics():
    scene = photo(384, 288, 21, 1.5)
    for k, gains in enumerate([(0.55, 1.0, 0.7), (0.45, 0.9, 0.4)]):
        raw = np.zeros(scene.shape[:2], np.float32)
        colour = np.zeros_like(scene)
        for dy, dx, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
            raw[dy::2, dx::2] = scene[dy::2, dx::2, channel] * gains[channel]
            colour[dy::2, dx::2, channel] = scene[dy::2, dx::2, channel] * gains[channel]
        yield f"Bayer {k}", np.uint8(raw)
        yield f"Bayer {k} as RGB", np.repeat(np.uint8(raw)[:, :, None], 3, 2)
        yield f"Bayer {k} in its colours", colour
    for scale in (2, 3, 5):
        yield f"photograph enlarged {scale} times", photo(420 // scale, 300 // scale, scale, 6.0).repeat(scale, 0).repeat(scale, 1)
    tone = photo(480, 320, 23, 1.0)[:, :, 1] / 255
    y, x = np.mgrid[0:320, 0:480]
    for period in (5, 8, 11):
        screen = 0.5 + 0.25 * (np.cos((x + y) * 4.44 / period) + np.cos((x - y) * 4.44 / period))
        soft = np.asarray(Image.fromarray(np.uint8(tone > screen) * 255).filter(ImageFilter.GaussianBlur(0.9)))
        scan = soft * 0.8 + 20 + np.random.default_rng(period).normal(0, 3, soft.shape)
        yield f"printer's screen of {period} pixels, scanned", np.clip(scan, 0, 255).astype(np.uint8)
    tiles = np.random.default_rng(6).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    yield "tiles", tiles.repeat(10, 0).repeat(10, 1)
    for scale in (2, 3, 4, 6):
        sprite = np.random.default_rng(scale).integers(0, 4, (240 // scale, 320 // scale))
        colours = np.random.default_rng(9).integers(0, 256, (4, 3)).astype(np.uint8)
        yield f"pixel art times {scale}", colours[sprite].repeat(scale, 0).repeat(scale, 1)
        shaded = photo(320 // scale, 240 // scale, scale) & 0xF0
        yield f"shaded pixel art times {scale}", shaded.repeat(scale, 0).repeat(scale, 1)
    for modules, scale in ((21, 8), (45, 5), (77, 3)):
        yield (
            f"code of {modules}",
            np.pad(np.random.default_rng(modules).integers(0, 2, (modules, modules)).astype(np.uint8) * 255, 4, constant_values=255)
            .repeat(scale, 0)
            .repeat(scale, 1),
        )


def _plots():
    rng = np.random.default_rng(8)
    for k in range(4):
        picture = Image.new("RGB", (960, 720), [(255, 255, 255), (20, 20, 30), (234, 234, 242), (255, 255, 255)][k])
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(26)
        for tick in range(100, 900, 100):
            draw.line((tick, 60, tick, 640), fill=(200, 200, 200), width=2)
            draw.text((tick - 14, 650), str(tick), font=font, fill=(120, 120, 120))
        for _ in range(5):
            points = np.stack([np.arange(100, 861, 20), 350 + np.cumsum(rng.normal(0, 30, 39))], 1)
            colour = tuple(int(v) for v in rng.integers(0, 255, 3))
            draw.line([tuple(p) for p in points], fill=colour, width=5)
            if k == 3:
                for px, py in points:
                    draw.ellipse((px - 9, py - 9, px + 9, py + 9), fill=colour)
        yield f"lines {k}", np.asarray(picture.reduce(2))
    plan = Image.fromarray(labels(960, 720, 60, 3) // 4 + np.uint8(180))
    draw = ImageDraw.Draw(plan)
    for k in range(30):
        points = [tuple(int(v) for v in p) for p in rng.integers(0, 960, (4, 2))]
        draw.line(points, fill=(255, 200, 80) if k % 3 else (255, 255, 255), width=8)
        draw.text(points[0], WORDS[k % 20].title(), font=ImageFont.load_default(24), fill=(60, 60, 60))
    yield "map", np.asarray(plan.reduce(2))
    comic = Image.fromarray(labels(960, 720, 25, 12))
    draw = ImageDraw.Draw(comic)
    for _ in range(60):
        px, py, r = rng.integers(0, 900), rng.integers(0, 700), rng.integers(10, 60)
        draw.ellipse((px, py, px + r, py + r), fill=tuple(int(v) for v in rng.integers(0, 255, 3)), outline=(0, 0, 0), width=5)
    yield "comic", np.asarray(comic.reduce(2))


def _synthetic():
    y, x = np.mgrid[0:240, 0:320].astype(np.float32)
    yield "sine", np.uint8(127.5 + 100 * np.sin(x / 9) * np.cos(y / 13))
    yield "texture coordinates", np.stack([np.uint8(x * 255 / 319), np.uint8(y * 255 / 239), np.uint8(x * 0)], 2)
    yield "one colour", np.full((240, 320, 3), (30, 120, 200), np.uint8)
