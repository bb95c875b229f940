"""`python -m logstream` is the same program as `logstream`."""

from logstream.cli.main import main

if __name__ == "__main__":
    main()
