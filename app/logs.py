"""Logging, set up once, by the command line alone."""

from __future__ import annotations

import logging
import os


def set_up(verbose: int = 0) -> None:
    """Log warnings and worse to standard error; `-v` adds what is done, `-vv` all."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pyogrio").setLevel(logging.WARNING)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for processes that are started: threads within them would fight
