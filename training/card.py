"""A model's card: what it is, what it learned from, how good it is and what it costs; only from files, nothing typed in.

    python training/card.py models_onnx/photo-1 --evaluation out/evaluation       writes models_onnx/photo-1/CARD.md
    python training/card.py models_onnx/jpeg-2 --evaluation bench/results/0.1.0/jpegs-transcoders.md

export.py writes the card without figures; this adds those of evaluate.py, and refuses those of another model of the same name. Models of
JPEG coefficients have theirs from the table of bench.transcoders.
"""

import argparse
import csv
import hashlib
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))  # bench/ lies beside training/

from bench import cost

SEARCH = {f"{cost.SEARCH}.onnx", "encoder.npz"}  # for efforts 7 to 9


def entry(folder: Path) -> dict:
    """The manifest's entry of a model folder. Raises SystemExit if there is none."""
    listed = json.loads((folder.parent / "manifest.json").read_text())["models"]
    found = next((m for m in listed if m["name"] == folder.name), None)
    if found is None:
        raise SystemExit(f"{folder}: not in {folder.parent / 'manifest.json'}, which lists {', '.join(m['name'] for m in listed)}")
    return found


def label(found: dict) -> str:
    """Name and eight digits over all files of an entry that efforts 0 to 6 use: what its measurements are filed under."""
    files = {name: digest for name, digest in found["files"].items() if name not in SEARCH}
    return f"{found['name']}-{hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8]}"


def table(head: list[str], body: list[list[str]]) -> str:
    """Markdown; text in the first two columns, numbers in the others."""
    rule = "| --- | --- |" + " ---: |" * (len(head) - 2)
    return "\n".join(["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(line) + " |" for line in body)])


def measured(evaluation: Path, name: str) -> str:
    """RD curve and BD-rates of one label from an evaluation. Raises SystemExit if it was not measured there."""

    def lines(file: str) -> list[dict]:
        with (evaluation / file).open(newline="") as opened:
            return [line for line in csv.DictReader(opened, delimiter="\t") if line["model"] == name]

    curve, rates = lines("means.tsv"), lines("bd.tsv")
    if not curve:
        raise SystemExit(f"{evaluation} holds no measurements of {name}; run training/evaluate.py")
    keys = ["set", "pictures", "quality", "bpp", "psnr_db", "ms_ssim"]
    text = table(["set", "pictures", "quality", "bpp", "PSNR dB", "MS-SSIM"], [[line[k] for k in keys] for line in curve])
    if rates:
        keys = ["set", "anchor", "metric", "range", "bd_rate_percent"]
        text += "\n\nRate at equal quality, negative is better:\n\n"
        text += table(["set", "against", "by", "range", "BD-rate %"], [[line[k] for k in keys] for line in rates])
    return text


def card(folder: Path, evaluation: Path | None = None) -> str:
    """Text of CARD.md."""
    found = entry(folder)
    figures, about = "Not measured.", ""
    if found["architecture"] == "hyperprior":
        about = "## Rate and distortion\n\nBytes are what an archive grows by; means over a set of pictures."
        about += " Trained levels are qualities 0, 12.5 ... 100."
        figures = measured(evaluation, label(found)) if evaluation else figures
    else:
        about = "## Size\n\nOf the bench of this repository when the card was written; `dct` is this model."
        figures = "\n".join(line for line in evaluation.read_text().splitlines() if line.startswith("|")) if evaluation else figures
    files = "\n".join(f"- `{name}` {digest}" for name, digest in found["files"].items())
    return f"""# {found["name"]}

Model {found["id"]}, architecture "{found["architecture"]}", {found["levels"]} levels, {cost.parameters(folder) / 1e6:.2f} M parameters.
Payloads name it by SHA-256 {found["sha256"]}.

## Licence and data

{found["licence"]}.

## Training

{found["training"]}.

{about}

{figures}

## Cost

On a picture of 768 x 512, one pass:

{cost.table(folder)}

## Files

SHA-256 of each:

{files}
"""


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path, help="folder of a model")
    p.add_argument("--evaluation", type=Path, help="OUT of evaluate.py")
    a = p.parse_args()
    (a.model / "CARD.md").write_text(card(a.model, a.evaluation))
    print(a.model / "CARD.md")


if __name__ == "__main__":
    main()
