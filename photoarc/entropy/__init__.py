"""Entropy coding: integers only."""
