"""Options that say how files are coded, and which: of `pack`, `add` and `update`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from photoarc.cli.arguments import number, whole
from photoarc.options import MIN_GAIN_PERCENT, QUALITY, TUNE

ModeOption = Annotated[
    Literal["fast", "lzma", "lossless"],
    typer.Option(help="fast, lzma: photographs lossily by the learned codec. lossless: every file comes back bit for bit."),
]
QualityOption = Annotated[
    float | None,
    typer.Option(parser=number(0, 100), metavar="0..100", help=f"Of lossy photographs. [default: {QUALITY:g}]"),
]
TuneOption = Annotated[
    Literal["ssim", "psnr"] | None,
    typer.Option(help=f"Lossy photographs: for eyes, or for the smallest squared error. [default: {TUNE}]"),
]
EffortOption = Annotated[
    int,
    typer.Option(
        parser=whole(0, 9),
        metavar="0..9",
        help="How hard pictures are squeezed: 0..2 fast, 7..9 smallest, and slow. Photographs of mode fast: 7..9.",
    ),
]
MinGainOption = Annotated[
    float | None,
    typer.Option(
        parser=number(0, 99),
        metavar="PERCENT",
        help="Code what was lossy (JPEG) lossily once more only if that is smaller than bit-exact by this much. "
        f"[default: {MIN_GAIN_PERCENT:g}]",
        show_default=False,
    ),
]
RecodeOption = Annotated[
    bool,
    typer.Option("--recode", help="Also HEIC (with pillow-heif), AVIF, JPEG XL, lossy WebP lossily; unpacked as JPEG but for WebP."),
]
StripOption = Annotated[Literal["gps"] | None, typer.Option(help="Take the place out of the metadata of lossy photographs.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Leave out, as in .gitignore; repeatable.")]
ExcludeFrom = Annotated[list[str] | None, typer.Option(metavar="FILE", help="Patterns from a file; repeatable.")]

_LIKE = "[default: as the archive was packed]"
LikeMode = Annotated[Literal["fast", "lzma", "lossless"] | None, typer.Option(help=f"How photographs are coded. {_LIKE}")]
LikeQuality = Annotated[
    float | None, typer.Option(parser=number(0, 100), metavar="0..100", help=f"Of lossy photographs. {_LIKE}", show_default=False)
]
LikeTune = Annotated[Literal["ssim", "psnr"] | None, typer.Option(help=f"Lossy photographs: for eyes, or for the squared error. {_LIKE}")]
LikeEffort = Annotated[
    int | None, typer.Option(parser=whole(0, 9), metavar="0..9", help=f"How hard pictures are squeezed. {_LIKE}", show_default=False)
]
