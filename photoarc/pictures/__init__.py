"""Picture files: pixels and everything else in them, format by format; knows nothing of archives."""

NO_PHOTOGRAPH = "not a photograph format"  # why a file that is no JPEG, PNG, WebP or BMP is kept bit-exact
