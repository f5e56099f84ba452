"""Photographs that are coded lossily: header, bands, latents of the hyperprior, the search of cheaper ones."""
