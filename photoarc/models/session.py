"""The only place that runs networks: one CPU session of ONNX Runtime each, fixed options."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from photoarc.errors import ModelCorrupt, PayloadError
from photoarc.models.runtime import onnxruntime

FloatArray = npt.NDArray[np.float32]


@cache
def _share_arena() -> None:
    """One arena for all networks that want one: each of its own would take ten megabytes."""
    memory = onnxruntime.OrtMemoryInfo("Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(memory, None)


class Network:
    """An ONNX graph. `arena`: its memory is kept, which is for networks that only ever see small pieces.

    Raises ModelCorrupt if the graph does not load.
    """

    def __init__(self, path: Path, model_id: int, *, arena: bool = False) -> None:
        self._name = path.stem
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the cores are the workers'
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # 3: errors; photoarc reports the rest itself
        options.enable_cpu_mem_arena = False  # the arena keeps the largest picture's memory for ever
        if arena:
            _share_arena()
            options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # two cores, two processes: spinning steals the other's time
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has its own classes, outside any documented tree
            raise ModelCorrupt(model_id, f"{path} does not load: {str(error)[:200]}; install photoarc again") from error

    def __call__(self, **inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Its first output; raises PayloadError if ONNX Runtime cannot run it (out of memory, say)."""
        return self.outputs(**inputs)[0]

    def outputs(self, **inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """All outputs; raises PayloadError as above."""
        try:
            results: list[npt.NDArray[Any]] = self._session.run(None, inputs)
        except Exception as error:  # ONNX Runtime has its own classes, outside any documented tree
            raise PayloadError(f"network {self._name} failed: {str(error)[:200]}") from error
        return results
