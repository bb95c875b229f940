"""The journal: append-only segment files that make an ack mean fsynced."""
