"""What makes the very bytes of a zlib stream out of its contents (docs/format.md 7.7)."""
