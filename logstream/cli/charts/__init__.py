"""Charts on a terminal: what can be drawn, out of what, and the drawing."""
