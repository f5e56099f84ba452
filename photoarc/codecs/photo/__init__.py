"""Photographs that are coded lossily: header, bands of latents, their coder by architecture, the search of cheaper ones."""
