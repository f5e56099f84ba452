"""JPEG files taken apart and put together again, down to the coefficients."""
