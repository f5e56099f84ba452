"""What is typed and said: the command line."""
