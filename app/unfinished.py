"""Candidates of a training that is not done yet: kept in the workspace as they are finished, until its run is there.

A job that is killed in its training, or in the training that a comparison begins with, goes on after the candidates
that were finished (see `models.finished`). They stand in `trainings/<run>`, apart for each training, and go when the
step is done.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from data.store.folder import FolderStore
from data.store.workspace import Workspace
from models.finished import finished_in

FOLDER = "trainings"
_STEPS = ("training", "comparison")


@contextmanager
def unfinished(workspace: Workspace, step: str, training: str) -> Iterator[None]:
    """Keep what a step of a job finishes of the training `training`; nothing is kept by steps that train nothing."""
    if step not in _STEPS:
        yield
        return
    folder = workspace.root / FOLDER / training
    with finished_in(FolderStore(folder)):
        yield
    shutil.rmtree(folder, ignore_errors=True)  # what a kill leaves here, pruning takes
