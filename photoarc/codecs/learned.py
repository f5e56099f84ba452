"""Codec 16, `fast`: latents by the band coder of the model's architecture, integer tables and ANS (docs/format.md section 8).

The decoder reads all integers of a band before it runs the first float network: nothing that picks a table is a float.
"""

from __future__ import annotations

from photoarc.codecs.photo.coder import of_architecture
from photoarc.codecs.photo.payload import PhotoCodec

CODEC = PhotoCodec(of_architecture, searches=True)
encode, decode_photo, decode = CODEC.encode, CODEC.decode_photo, CODEC.decode
