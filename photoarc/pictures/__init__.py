"""Picture files: pixels and everything else in them, format by format; knows nothing of archives."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"  # here, for `list` is to load no NumPy
NO_PHOTOGRAPH = "not a photograph format"  # why a file that is no JPEG, PNG, WebP or BMP is kept bit-exact
