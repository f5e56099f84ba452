"""`photoarc bench DIR`: a folder through photoarc and the tools that people use, timed in turn."""
