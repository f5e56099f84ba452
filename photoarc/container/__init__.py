"""The bytes of an archive: chunks, records, groups, index (docs/format.md 1 to 6), and the file that grows out of them."""
