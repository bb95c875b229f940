"""What every layer may use: the entry, errors, timestamps and levels."""
