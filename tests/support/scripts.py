"""Scripts of training/ as tests run them."""

import signal
import sys


def run(monkeypatch, module, *args):
    """`main` of a script with a command line; its signal handlers do not outlive it."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, args)])
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        module.main()
    finally:
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
