"""The prompt of `logstream query` and `logstream sql`, when they have no argument."""
