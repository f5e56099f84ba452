"""What a codec costs: parameters, multiply-accumulates a pixel, seconds a picture; photoarc's counted and measured here, others' published.

`reference/<set>-complexity.tsv` has one figure a line, each with the repository, path and commit it was read from.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from bench import curves, rows
from bench.curves import REFERENCE
from photoarc.models.manifest import CODED_WITH, entry
from photoarc.options import Tuning

COLUMNS = ("parameters_m", "dec_kmac_px", "enc_s", "dec_s")
NETWORKS = {
    "photoarc-fast": None,
    "photoarc-psnr": None,
    "photoarc-lzma": ("analysis", "synthesis"),
}  # None: all; lzma: no entropy nets
KODAK_PX = (768, 512)


@cache
def published(name: str) -> dict[str, dict[str, str]]:
    """Curve -> column -> published figure, of those that could be found; empty for a set without such a file."""
    path = REFERENCE / f"{name}-complexity.tsv"
    out: dict[str, dict[str, str]] = defaultdict(dict)
    if path.exists():
        with path.open(newline="") as file:
            for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                out[line["curve"]][line["what"]] = line["value"]
    return dict(out)


def here(timed: Iterable[rows.Time]) -> dict[str, dict[str, str]]:
    """The same columns of the codecs measured here: networks are counted in the ONNX files, seconds are medians over the timed settings."""
    out = {codec: dict(cells) for codec, cells in _networks().items()}
    by_codec: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for (codec, _), found in curves.medians(timed).items():
        by_codec[codec].append(found)
    for codec, found in by_codec.items():
        enc_s, dec_s, _ = (statistics.median(values) for values in zip(*found, strict=True))
        out.setdefault(codec, {}).update(enc_s=f"{enc_s:.3g}", dec_s=f"{dec_s:.3g}")
    return out


@cache
def _networks() -> dict[str, dict[str, str]]:
    """Parameters of encoder and decoder together, and MACs of one decoding, of the model that photoarc ships."""
    import onnx

    from bench import cost

    folder = entry(CODED_WITH[Tuning.SSIM]).folder
    macs = cost.networks(folder, *KODAK_PX)
    parameters = {
        file.stem: sum(math.prod(weight.dims) for weight in onnx.load(file).graph.initializer) for file in sorted(folder.glob("*.onnx"))
    }
    out = {}
    for codec, names in NETWORKS.items():
        used = names or tuple(parameters)
        decoding = cost.sums({name: macs[name] for name in used})["decode"]
        out[codec] = {
            "parameters_m": f"{sum(parameters[name] for name in used) / 1e6:.2f}",
            "dec_kmac_px": f"{decoding / math.prod(KODAK_PX) / 1e3:.1f}",
        }
    return out
