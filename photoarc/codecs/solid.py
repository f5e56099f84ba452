"""Codec 5, `solid`: small files of one kind back to back in one LZMA2 stream, so that each is coded with its neighbours in mind.

The stream is the payload of a GROUP chunk (docs/format.md section 4.7). The archive takes it apart: what it then hands on as the payload of
one member are that file's bytes.
"""

from __future__ import annotations

from photoarc.codecs import store

decode = store.decode
