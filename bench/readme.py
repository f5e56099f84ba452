"""Results in README.md and bench/README.md, between their two markers, from the committed rows: `python -m bench.readme` writes them.

README.md gets one small table and one picture, bench/README.md every lossy codec and every set of JPEG files. A test fails when stale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import photoarc
from bench import rows, tables, transcoders
from bench.curves import Measured

ROOT = Path(__file__).parent.parent
README, DETAILS = ROOT / "README.md", ROOT / "bench" / "README.md"
BEGIN, END = "<!-- bench: begin (python -m bench.readme) -->", "<!-- bench: end -->"
SET, ANCHOR = "kodak", "jpeg"
ODDITIES = "jpeg-oddities"  # made to be refused
SPEED_FIELDS = ("taken_bytes", "encode_s", "decode_s")
NAMES = {
    "photoarc-fast": "**photoarc fast**", "photoarc-fast-9": "the same, `--effort 9`",
    "photoarc-psnr": "photoarc fast, `--tune psnr`", "photoarc-psnr-9": "`--tune psnr --effort 9`", "photoarc-lzma": "**photoarc lzma**",
    "avif": "AVIF", "heic": "HEIC", "jpeg2000": "JPEG 2000", "webp": "WebP", "jpegxl": "JPEG XL", "jpeg": "JPEG",
}  # fmt: skip
# What README.md shows, and the settings that codecs.py gives each: default effort of the library.
SHORT = {
    "photoarc-fast": "**photoarc**, mode fast (the default)",
    "photoarc-fast-9": "the same, `--effort 9`",
    "avif": "AVIF: libavif, 4:4:4, speed of Pillow",
    "heic": "HEIC: pillow-heif, its defaults",
    "webp": "WebP: libwebp, method 4",
    "jpegxl": "JPEG XL, lossy: libjxl, effort 7",
    "jpeg": "JPEG: libjpeg-turbo, 4:2:0",
}
TRANSCODERS = {"JPEG XL": "JPEG XL (efforts 0 to 4)", "Lepton": "Lepton", "dct": "**photoarc's networks** (the default)"}
FOLDER = f"bench/results/{photoarc.__version__}"


def summary() -> str:
    """README.md: rate against JPEG at equal quality, and CPU time, of a few codecs on Kodak; one picture; JPEG files in one sentence."""
    means, found = tables.load(SET), rows.measured(SET)
    body = [
        (
            label,
            *(tables.percent(means[ANCHOR], means[codec], metric) for metric in ("psnr", "ms_ssim", "butteraugli_3norm")),
            *_speeds(found, codec),
        )
        for codec, label in SHORT.items()
    ]
    head = (f"{SET.title()}, {_pictures(means)} pictures", "equal PSNR", "equal MS-SSIM", "equal Butteraugli", "encode", "decode")
    shares = {codec: [share for name, share in _shares().items() if name[1] == codec] for codec in TRANSCODERS}
    ranges = {codec: f"{min(found):.0f} to {max(found):.0f} %" for codec, found in shares.items()}
    return (
        f"{tables.table(head, body)}\n\n"
        "Bytes are against JPEG at the same quality (BD-rate; less is better). "
        "Times are CPU seconds a megapixel, one thread, with other work beside it.\n\n"
        f"![MS-SSIM against rate]({FOLDER}/{SET}-ms-ssim.svg)\n\n"
        f"JPEG files that must come back byte for byte: photoarc's own networks (the default) leave {ranges['dct']} of their bytes,\n"
        f"JPEG XL (efforts 0 to 4) {ranges['JPEG XL']}, Lepton {ranges['Lepton']}, by set of files."
    )


def results() -> str:
    """bench/README.md: rate against JPEG at equal quality, and CPU time, of every lossy codec on Kodak; then JPEG files byte for byte."""
    means, found = tables.load(SET), rows.measured(SET)
    body = [
        (
            label,
            tables.percent(means[ANCHOR], means[codec]),
            tables.percent(means[ANCHOR], means[codec], "psnr", *tables.HIGH_DB),
            *(tables.percent(means[ANCHOR], means[codec], metric) for metric in ("ms_ssim", "lpips", "butteraugli_3norm")),
            *_speeds(found, codec),
        )
        for codec, label in NAMES.items()
        if codec in means
    ]
    low, high = tables.HIGH_DB
    head = (f"{SET.title()}, {_pictures(means)} pictures", "rate, equal PSNR", f"{low:g} to {high:g} dB")
    table = tables.table((*head, "equal MS-SSIM", "equal LPIPS", "equal Butteraugli", "encode, s/MP", "decode, s/MP"), body)
    return (
        f"Bytes against JPEG at equal quality (BD-rate; less is better), and CPU seconds a megapixel on one thread:\n\n{table}\n\n"
        f"{_jpegs()}\n\n"
        f"Every picture's row, more codecs, other metrics, published curves: [{SET}.md]({_here(f'{SET}.md')})."
    )


def _speeds(found: list[rows.Row], codec: str) -> list[str]:
    return [f"{rows.seconds_per_megapixel(found, codec, column):.2g}" for column in ("enc_cpu_s", "dec_cpu_s")]


def _here(name: str) -> str:
    """A file of results, as bench/README.md links it."""
    return f"{FOLDER}/{name}".removeprefix("bench/")


def _sums() -> list[transcoders.Sum]:
    return transcoders.load(rows.RESULTS / photoarc.__version__ / "jpegs-transcoders.tsv")


def _shares() -> dict[tuple[str, str], float]:
    """What is left of the JPEG files, in percent, by set and codec."""
    return {(row.set, row.codec): 100 * row.packed_bytes / row.size_bytes for row in _sums() if row.set != ODDITIES}


def _jpegs() -> str:
    """JPEG files byte for byte, codec by codec."""
    sums, shares = _sums(), _shares()
    files = {row.set: row.files for row in sums if row.set != ODDITIES}
    body = [(name, str(files[name]), *(f"{shares[name, codec]:.1f} %" for codec in TRANSCODERS)) for name in files]
    total = {codec: [sum(getattr(row, field) for row in sums if row.codec == codec) for field in SPEED_FIELDS] for codec in TRANSCODERS}
    speeds = [f"{taken / 1e6 / encode:.2g} / {taken / 1e6 / decode:.2g}" for taken, encode, decode in total.values()]
    table = tables.table(("JPEG files", "files", *TRANSCODERS.values()), [*body, ("MB/s, one thread, encode / decode", "", *speeds)])
    where = _here("jpegs-transcoders.md")
    return f"JPEG files that come back byte for byte, what is left of them, metadata and all ([more]({where})):\n\n{table}"


def _pictures(means: dict[str, Measured]) -> int:
    return means[ANCHOR].points[0].pictures


PAGES: dict[Path, Callable[[], str]] = {README: summary, DETAILS: results}


def updated(page: Path, text: str) -> str:
    """A page's text with the results as they are now. Raises ValueError without the two markers."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page.name} needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{PAGES[page]()}\n{END}{after}"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(updated(page, page.read_text()))
