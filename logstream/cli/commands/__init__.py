"""One file per command. Each imports what it needs when it runs: help stays quick."""
