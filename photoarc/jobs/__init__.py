"""What photoarc does with folders and archives: pack, unpack, test, verify, delete. Processes are started here and in folderbench only."""
