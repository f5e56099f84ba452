"""Picture files: pixels and everything else in them, format by format; knows nothing of archives."""
