"""ONNX Runtime, told to keep to itself before it starts: import it from here and nowhere else.

Since version 1.29 its Linux and macOS wheels note down, and send to Microsoft, events of every process: a lasting identifier of the
device, what machine it is, the networks that are loaded with names and hashes (microsoft/onnxruntime pull request 27379). Those of
Windows hand such events to the system. A packer of private photographs does nothing of the kind.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # Linux, macOS: read once, when the library starts

import onnxruntime

onnxruntime.disable_telemetry_events()  # Windows has no such variable

__all__ = ["onnxruntime"]
