"""Measurements of photoarc and its peers: raw rows, tables, figures (bench/README.md)."""
