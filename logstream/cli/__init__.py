"""The command line. Only this layer imports typer."""
