"""The user's files: the only package that walks folders, or writes below them."""
