"""`python -m app` is `zonewise`."""

from app.cli import main

if __name__ == "__main__":
    main()
