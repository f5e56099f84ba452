"""models_onnx/manifest.json: which models exist, their permanent ids and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from photoarc.errors import ModelCorrupt, ModelMissing
from photoarc.options import Tuning

# The model that codes new photographs, by what counts. Decoders load whichever a payload names.
CODED_WITH = {Tuning.PSNR: 1, Tuning.SSIM: 2}
JPEG_CODED_WITH = 4  # the one that codes new JPEG files byte for byte
_PACKAGE = Path(__file__).resolve().parent.parent
FOLDERS = (_PACKAGE / "models_onnx", _PACKAGE.parent / "models_onnx")  # an installed wheel, a source checkout


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model of the manifest; `sha256` identifies what a decoder needs (docs/format.md section 8.1)."""

    id: int
    name: str
    architecture: str
    levels: int
    licence: str
    training: str
    sha256: bytes
    files: dict[str, str]
    folder: Path

    def file(self, name: str) -> Path:
        """Path of one file of the model, checked against the manifest.

        Raises ModelMissing or ModelCorrupt.
        """
        path = self.folder / name
        if name not in self.files or not path.is_file():
            raise ModelMissing(self.id, f"file {name} not found in {self.folder}; install photoarc again")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.files[name]:
            raise ModelCorrupt(self.id, f"{path} has SHA-256 {found}, expected {self.files[name]}; install photoarc again")
        return path


@cache
def entries() -> dict[int, ModelEntry]:
    """Every model that this installation ships, by id.

    Raises ModelMissing where there is no manifest, ModelCorrupt where it cannot be read.
    """
    folder = next((f for f in FOLDERS if (f / "manifest.json").is_file()), None)
    if folder is None:
        raise ModelMissing(CODED_WITH[Tuning.SSIM], f"no models found (looked in {', '.join(map(str, FOLDERS))}); install photoarc again")
    try:
        rows = json.loads((folder / "manifest.json").read_text("utf-8"))["models"]
        return {
            m["id"]: ModelEntry(
                id=m["id"],
                name=m["name"],
                architecture=m["architecture"],
                levels=m["levels"],
                licence=m["licence"],
                training=m["training"],
                sha256=bytes.fromhex(m["sha256"]),
                files=m["files"],
                folder=folder / m["name"],
            )
            for m in rows
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ModelCorrupt(
            CODED_WITH[Tuning.SSIM], f"{folder / 'manifest.json'} cannot be read ({error!r}); install photoarc again"
        ) from error


def entry(model_id: int) -> ModelEntry:
    """The model of an id; raises ModelMissing."""
    if model_id not in entries():
        known = ", ".join(map(str, entries()))
        raise ModelMissing(model_id, f"unknown to this version of photoarc, which ships {known}; update photoarc")
    return entries()[model_id]
