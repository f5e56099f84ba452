"""Turn a checkpoint into a model that photoarc runs: ONNX graphs, integer tables, a manifest entry.

    python training/export.py base.pt --photos DIR --id 1 --name photo-1 --record "how it was trained" --models out/candidate

A candidate goes to a folder of its own (--models), which training/evaluate.py reads; without it, into the models that photoarc ships.

Reads photographs of DIR (any format Pillow reads) for the activation steps of the integer scale path and for the tables. Refuses to touch a
model id that a manifest already names, unless --replace is given (for models that were never released).
"""

import argparse
import hashlib
import json
from collections.abc import Container
from pathlib import Path

import card
import graphs
import numpy as np
import onnx
import tables
import torch
from curvature import curvature
from hyper_contexts import HyperContexts, hyper_latents, tilt
from integer import hyper_constants, integer_hyper_contexts, integer_scale_path
from model import SLICES, Codec, load
from PIL import Image
from torch import Tensor
from train import WORTH

from photoarc.models.hyper_context import HyperContext
from photoarc.models.runtime import onnxruntime

ENCODER = {"analysis.onnx", "hyper_analysis.onnx", *card.SEARCH}
CURVATURE_PICTURES = 12
STRENGTHS = WORTH[1]  # of the structure terms at the lowest and at the highest level: what 1 - MS-SSIM is worth in squared error
MODELS = Path(__file__).resolve().parent.parent / "models_onnx"


def pictures(folder: str, n: int, skip: int) -> list[Tensor]:
    """N photographs (1, 3, H, W) in [0, 1] spread evenly over a folder, sides cut to multiples of 64; `skip` shifts the choice."""
    files = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in {".webp", ".png", ".jpg", ".jpeg"})
    chosen = files[skip :: max(1, len(files) // n)][:n]
    arrays = [np.asarray(Image.open(f, formats=("WEBP", "PNG", "JPEG")).convert("RGB")) for f in chosen]
    return [
        torch.from_numpy(a[: a.shape[0] // 64 * 64, : a.shape[1] // 64 * 64].copy()).permute(2, 0, 1)[None].float() / 255 for a in arrays
    ]


def networks(
    codec: Codec, learned: HyperContexts, photos: str, n: int, added: Tensor
) -> tuple[dict[str, onnx.ModelProto], dict[str, np.ndarray]]:
    """All graphs by file stem, and the arrays of tables.npz; `added` (levels, M) goes to the trained log gains."""
    few, gain = pictures(photos, max(8, n // 4), 3), codec.gain.detach() + added
    hyper, contexts = integer_scale_path(codec, few, range(0, codec.levels, 2))
    nets = integer_hyper_contexts(learned, [hyper_latents(codec, gain, x) for x in few])
    found = {
        "analysis": graphs.analysis(codec),
        "synthesis": graphs.synthesis(codec),
        "hyper_analysis": graphs.hyper_analysis(codec),
        "mean_hyper": graphs.mean_hyper(codec),
        "scale_hyper": graphs.scale_hyper(hyper),
    }
    for k, net in enumerate(nets, 1):
        found[f"hyper_context_{k}"] = graphs.hyper_context(net, k)
    for k in range(SLICES):
        found[f"mean_{k}"] = graphs.mean_context(codec, k)
        found[f"scale_{k}"] = graphs.scale_context(contexts[k], k, codec.group)
    constants = hyper_constants(learned).numpy()
    context = HyperContext(constants, [], lambda k, z: nets[k - 1](torch.from_numpy(z)).numpy())
    counts = tables.count(codec, hyper, contexts, context, gain, pictures(photos, n, 0))
    return found, tables.build(codec, counts, constants, added.numpy())


def check(codec: Codec, found: dict[str, onnx.ModelProto], picture: Tensor) -> None:
    """The exported transforms must give what PyTorch gives; raises SystemExit otherwise."""
    run = lambda name, feed: onnxruntime.InferenceSession(found[name].SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, feed
    )[0]
    pixels = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    with torch.no_grad():
        y = codec.g_a(picture)
        x_hat = (codec.g_s(y).clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy()
    y_onnx = run("analysis", {"pixels": np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="edge")})
    blocks = run("synthesis", {"latents": y.numpy()})  # as photoarc/models/hyperprior.py joins them
    rows, columns = blocks.shape[2:]
    x_onnx = blocks.reshape(3, 8, 8, rows, columns).transpose(3, 1, 4, 2, 0).reshape(8 * rows, 8 * columns, 3)[4:-4, 4:-4]
    worst_y, worst_x = np.abs(y_onnx - y.numpy()).max(), np.abs(x_onnx.astype(float) - x_hat).max()
    if worst_y > 1e-3 or worst_x > 1:
        raise SystemExit(f"export differs from PyTorch: latents by {worst_y}, pixels by {worst_x}")


def arguments(p: argparse.ArgumentParser) -> None:
    """What every export asks: which model it makes, and where."""
    p.add_argument("--id", type=int, required=True, help="permanent model id")
    p.add_argument("--name", required=True)
    p.add_argument("--record", required=True, help="training record: data, steps, hardware")
    p.add_argument("--licence", default="Apache-2.0; trained on CC0, CC-BY, CC-BY-SA, Unsplash and Pexels photographs")
    p.add_argument("--models", type=Path, default=MODELS, help="folder that holds the manifest and the model's folder")
    p.add_argument("--replace", action="store_true", help="replace an id that was never released")


def listed(a: argparse.Namespace) -> list[dict]:
    """Other models of the manifest. Raises SystemExit if it names the id already, and nobody said that it may be replaced."""
    path = a.models / "manifest.json"
    found = json.loads(path.read_text())["models"] if path.exists() else []
    if any(m["id"] == a.id for m in found) and not a.replace:
        raise SystemExit(f"model id {a.id} exists: a released model never changes; choose a new id (or --replace if it was never released)")
    return [m for m in found if m["id"] != a.id]


def write(folder: Path, graphs: dict[str, onnx.ModelProto]) -> None:
    """One file a graph."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, model in graphs.items():
        (folder / f"{stem}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the graphs and tables of a model."""
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted([*folder.glob("*.onnx"), *folder.glob("*.npz")])}


def register(a: argparse.Namespace, others: list[dict], architecture: str, levels: int, encoder: Container[str] = ()) -> None:
    """Manifest entry and card of the files in the model's folder; a decoder needs all but `encoder`."""
    folder = a.models / a.name
    files = digests(folder)
    entry = {
        "id": a.id,
        "name": a.name,
        "architecture": architecture,
        "levels": levels,
        "licence": a.licence,
        "training": a.record,
        "files": files,
        # What payloads name: over all that a decoder needs, so that a better encoder may join a model later (docs/format.md section 8.1).
        "sha256": hashlib.sha256("".join(f"{n} {h}\n" for n, h in files.items() if n not in encoder).encode()).hexdigest(),
    }
    models = sorted([*others, entry], key=lambda m: m["id"])
    (a.models / "manifest.json").write_text(json.dumps({"models": models}, indent=2) + "\n")
    (folder / "CARD.md").write_text(card.card(folder))
    print(f"{folder}: {sum(f.stat().st_size for f in folder.iterdir()) / 1e6:.1f} MB, sha256 {entry['sha256']}")


def learned_contexts(checkpoint: str, codec: Codec) -> HyperContexts:
    """Those of a checkpoint. Raises SystemExit if it has none."""
    weights = torch.load(checkpoint, map_location="cpu", weights_only=True).get("z")
    if weights is None:
        raise SystemExit(f"{checkpoint} has no contexts of hyper-latents; training/hyper_contexts.py learns them")
    contexts = HyperContexts(codec.levels, codec.mz)
    contexts.load_state_dict(weights)
    return contexts.eval()


def main() -> None:
    """Command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint")
    p.add_argument(
        "--photos", required=True, help="folder of photographs to measure activation steps and tables on (training data, never test sets)"
    )
    p.add_argument("--pictures", type=int, default=96, help="how many of them make the tables")
    p.add_argument("--gains", help="log gains to add to the trained ones: what training/tune.py wrote")
    p.add_argument("--descent", choices=["squared", "structure"], help="with what efforts 7 to 9 need, and the error that they minimise")
    arguments(p)
    a = p.parse_args()
    others = listed(a)
    codec = load(a.checkpoint)
    added = tilt(a.gains, codec)
    found, arrays = networks(codec, learned_contexts(a.checkpoint, codec), a.photos, a.pictures, added)
    check(codec, found, pictures(a.photos, 1, 7)[0])
    folder = a.models / a.name
    write(folder, found)
    np.savez(folder / "tables.npz", **arrays)
    if a.descent:
        structure = a.descent == "structure"
        write(folder, {"synthesis_gradient": graphs.synthesis_gradient(codec, structure)})
        logs = {"log_lambdas": codec.lams.log()[:, None].numpy()}
        if structure:
            logs["log_structure"] = np.linspace(*np.log(STRENGTHS), codec.levels)[:, None]
        strengths = np.exp(logs["log_structure"][:, 0]).tolist() if structure else None
        steps = curvature(codec, pictures(a.photos, CURVATURE_PICTURES, 5), added, strengths)
        np.savez(folder / "encoder.npz", **logs, log_curvature=steps.log().numpy())
    register(a, others, "hyperprior", codec.levels, ENCODER)


if __name__ == "__main__":
    main()
