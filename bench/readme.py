"""README's results, between its two markers, from the committed rows: `python -m bench.readme` writes them, a test fails when stale."""

from __future__ import annotations

from pathlib import Path

import photoarc
from bench import rows, tables, transcoders
from bench.curves import Measured

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- bench: begin (python -m bench.readme) -->", "<!-- bench: end -->"
SET, ANCHOR = "kodak", "jpeg"
ODDITIES = "jpeg-oddities"  # made to be refused
SPEED_FIELDS = ("taken_bytes", "encode_s", "decode_s")
NAMES = {
    "photoarc-fast": "**photoarc fast**", "photoarc-fast-9": "the same, `--effort 9`",
    "photoarc-psnr": "photoarc fast, `--tune psnr`", "photoarc-psnr-9": "`--tune psnr --effort 9`", "photoarc-lzma": "**photoarc lzma**",
    "avif": "AVIF", "heic": "HEIC", "jpeg2000": "JPEG 2000", "webp": "WebP", "jpegxl": "JPEG XL", "jpeg": "JPEG",
}  # fmt: skip


def results() -> str:
    """Markdown: rate against JPEG at equal quality, and CPU time, of every lossy codec measured on Kodak; then JPEG files byte for byte."""
    means = tables.load(SET)
    found = rows.measured(SET)
    body = [
        (
            label,
            tables.percent(means[ANCHOR], means[codec]),
            tables.percent(means[ANCHOR], means[codec], "psnr", *tables.HIGH_DB),
            *(tables.percent(means[ANCHOR], means[codec], metric) for metric in ("ms_ssim", "lpips", "butteraugli_3norm")),
            *(f"{rows.seconds_per_megapixel(found, codec, column):.2g}" for column in ("enc_cpu_s", "dec_cpu_s")),
        )
        for codec, label in NAMES.items()
        if codec in means
    ]
    low, high = tables.HIGH_DB
    head = (f"{SET.title()}, {_pictures(means)} pictures", "rate, equal PSNR", f"{low:g} to {high:g} dB")
    table = tables.table((*head, "equal MS-SSIM", "equal LPIPS", "equal Butteraugli", "encode, s/MP", "decode, s/MP"), body)
    folder = f"bench/results/{photoarc.__version__}"
    return (
        f"Bytes against JPEG at equal quality (BD-rate; less is better), and CPU seconds a megapixel on one thread:\n\n{table}\n\n"
        f"![MS-SSIM against rate]({folder}/{SET}-ms-ssim.svg)\n\n"
        f"{_jpegs()}\n\n"
        f"Every picture's row, more codecs, other metrics, published curves: [{folder}]({folder}/{SET}.md); how it is measured: "
        "[bench](bench/README.md)."
    )


def _jpegs() -> str:
    """JPEG files byte for byte, codec by codec; nothing before they are measured."""
    path = rows.RESULTS / photoarc.__version__ / "jpegs-transcoders.tsv"
    sums = transcoders.load(path)
    names = {"JPEG XL": "JPEG XL (efforts 0 to 6)", "Lepton": "Lepton", "dct": "**photoarc's networks** (efforts 7 to 9)"}
    body = []
    for name in dict.fromkeys(row.set for row in sums if row.set != ODDITIES):
        by_codec = {row.codec: row for row in sums if row.set == name}
        shares = [f"{100 * by_codec[codec].packed_bytes / by_codec[codec].size_bytes:.1f} %" for codec in names]
        body.append((name, str(by_codec["dct"].files), *shares))
    total = {codec: [sum(getattr(row, field) for row in sums if row.codec == codec) for field in SPEED_FIELDS] for codec in names}
    speeds = [f"{taken / 1e6 / encode:.2g} / {taken / 1e6 / decode:.2g}" for taken, encode, decode in total.values()]
    table = tables.table(("JPEG files", "files", *names.values()), [*body, ("MB/s, one thread, encode / decode", "", *speeds)])
    where = path.relative_to(README.parent).with_suffix(".md")
    return f"JPEG files that come back byte for byte, what is left of them, metadata and all ([more]({where})):\n\n{table}"


def _pictures(means: dict[str, Measured]) -> int:
    return means[ANCHOR].points[0].pictures


def updated(text: str) -> str:
    """README's text with the results as they are now. Raises ValueError without the two markers."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{README.name} needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{results()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
