"""``python -m jobs`` does the same as ``peerscope``."""

from jobs.cli import main

if __name__ == "__main__":
    main()
