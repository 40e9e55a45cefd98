"""Studies, sweeps of plans, previews' ensembles and searches on a Dask cluster: the same as here, bit for bit."""

from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
from data.store.protocol import MemoryStore
from data.work import cluster as module
from data.work import working_at
from data.work.cluster import Cluster
from simulation import Scenario
from simulation.plans import compare_plans
from simulation.preview import Window
from simulation.preview.ensemble import simulate
from simulation.scenarios import CloseStreet, ScaleDemand, Selection
from simulation.search import Candidate, Question, search
from simulation.search.objectives import evaluator
from simulation.study import run_study

SHORT = {"days": 1 / 24, "start": "2026-01-27 07:00"}
CLOSE = Scenario(name="close", measures=(CloseStreet(where=Selection(street=("Row street 3",), zones=("Z01",))),))
LESS = Scenario(name="less", measures=(ScaleDemand(factor=0.8),))
WINDOW = Window(start="2026-01-27 07:00", hours=0.5)


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "check_alike", lambda *_: None)  # others may edit code while tests run
        cluster = Cluster("local:2")
        yield cluster
        cluster.close()


def test_a_study_with_a_worker_killed_midway_is_the_same(town, cluster):
    killed, stores = [], (MemoryStore(), MemoryStore())

    def kill(*_):
        if not killed:
            killed.append(next(iter(cluster._own.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    here = run_study(town, CLOSE, seeds=(1, 2, 3), store=stores[0], **SHORT)
    with working_at(cluster):
        there = run_study(town, CLOSE, seeds=(1, 2, 3), store=stores[1], progress=kill, **SHORT)
    assert killed
    for name in ("effects", "link_effects", "hourly", "reliability", "equity", "access", "risk"):
        pd.testing.assert_frame_equal(getattr(here, name), getattr(there, name), check_exact=True)
    assert stores[0].list("replications/") == stores[1].list("replications/")
    assert len(stores[1].list("replications/")) == 6


def test_plans_are_the_same(town, cluster):
    here = compare_plans(town, [CLOSE, LESS], seeds=(1, 2), **SHORT)
    with working_at(cluster):
        there = compare_plans(town, [CLOSE, LESS], seeds=(1, 2), **SHORT)
    pd.testing.assert_frame_equal(here.effects, there.effects, check_exact=True)
    pd.testing.assert_frame_equal(here.differences, there.differences, check_exact=True)


def test_an_ensemble_is_the_same_and_tells_of_every_run_once(town, cluster):
    told = []
    here = simulate(town, [CLOSE, LESS], window=WINDOW, seeds=(1, 2))
    with working_at(cluster):
        there = simulate(
            town, [CLOSE, LESS], window=WINDOW, seeds=(1, 2), progress=lambda done, total, _: told.append((done, total))
        )
    np.testing.assert_array_equal(here.values, there.values)
    np.testing.assert_array_equal(here.base, there.base)
    assert told == [(k, 6) for k in range(1, 7)]


def test_a_search_is_the_same(town, cluster):
    question = Question(
        name="q", objectives=("delay_hours", "cost"),
        candidates=(
            Candidate(name="a", label="close", levels=(CLOSE,), costs=(1.0,)),
            Candidate(name="b", label="less", levels=(LESS,), costs=(2.0,)),
        ),
    )  # fmt: skip
    here = search(question, evaluator(town, question, window=WINDOW), simulations=3, seed=1)
    with working_at(cluster):
        there = search(question, evaluator(town, question, window=WINDOW), simulations=3, seed=1)
    np.testing.assert_array_equal(here.plans, there.plans)
    np.testing.assert_array_equal(here.values, there.values)
