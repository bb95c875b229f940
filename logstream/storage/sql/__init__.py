"""SQL of users over the entries: checked, confined and bounded."""
