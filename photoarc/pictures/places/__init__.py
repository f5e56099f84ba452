"""Places taken out of metadata, or found in it, wherever programs write them."""
