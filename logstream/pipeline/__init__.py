"""The way of an entry: intake, worker pool, processor chain."""
