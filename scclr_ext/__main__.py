"""`python -m scclr_ext`."""

from scclr_ext.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
