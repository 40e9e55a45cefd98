"""The jobs of the monitor page, on a town in which one zone's sensor reports 40 % less speed since five days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app import monitor_views as views
from app.components import monitor_parts as parts
from app.jobs import CANCELLED, DONE, FAILED, Jobs
from app.monitoring import acknowledge, alarm_book, monitor_workspace, watched_panel
from app.pages import monitor
from app.queries import Queries
from app.renewed import in_force, renewed_models, serving_models
from app.retrain_job import changes, chosen, left_out_from
from app.retraining import schedule_of, set_schedule
from app.sensor_views import header_status
from app.worker import work
from data.errors import InputError
from models.ensemble import EnsembleForecaster
from models.forecasting import LearnedForecaster
from models.registry import Registry

SPEED = "speed_mps"


def run(space, kind, **params):
    """The job done in this process; its row."""
    jobs = Jobs(space.jobs_path)
    job = jobs.add(kind, params)
    work(space, job)
    return jobs.read(job)


@pytest.fixture
def watched(drifted):
    done = run(drifted, "monitor")
    assert done.state == DONE, done.message
    return drifted, Queries(drifted)


def test_a_check_finds_the_zone_that_drifted(watched):
    _, queries = watched
    table = views.standing_alarms(queries)
    assert ("Z02", SPEED) in set(zip(table["zone_id"], table["target"]))
    assert set(table["zone_id"]) == {"Z02"}
    told = views.found(queries)
    assert told.told["watched"] == 6 and not views.newer_readings(queries)
    rows = views.error_rows(queries, SPEED).set_index("zone_id")
    assert rows.loc["Z02", "state"] == "alarm" and rows.loc["Z01", "state"] == "ok"
    assert rows.loc["Z01", "n"] > 400 and 0.5 < rows.loc["Z01", "coverage"] <= 1


def test_the_error_is_that_of_forecasts_an_hour_ahead(watched):
    """The median of four steps ahead against the reading, over all readings since training, in km/h."""
    space, queries = watched
    from app.monitoring import stored_micromodels, watched_panel

    model, panel = stored_micromodels(space)["Z01", SPEED], watched_panel(space)
    at = np.arange(panel.known_by(pd.Timestamp(model.train_end)) - 1, len(panel) - 4)
    fan = model.forecast(panel, origins=pd.DatetimeIndex([panel.origin(k) for k in at]), steps=(4,))[:, 0, 0, 3]
    wanted = 3.6 * np.nanmean(np.abs(fan - panel.values[SPEED][at + 4, panel.columns(["Z01"])[0]]))
    rows = views.error_rows(queries, SPEED).set_index("zone_id")
    assert rows.loc["Z01", "mae"] == pytest.approx(wanted)


def test_checking_again_stores_nothing_new(watched):
    space, queries = watched
    before = len(views.alarms(queries)), len(space.runs.list("monitor"))
    run(space, "monitor")
    assert (len(views.alarms(queries)), len(space.runs.list("monitor"))) == before


def test_retraining_renews_serves_and_closes(watched):
    space, queries = watched
    done = run(space, "retrain", zone="Z02", by="Aino")
    assert done.state == DONE, done.message
    log = views.log_rows(queries)
    first = log[(log["zone_id"] == "Z02") & (log["target"] == SPEED)].iloc[0]
    assert (first["action"], first["version"], first["was"], first["by"]) == ("promote", "0002", "0001", "Aino")
    training = queries.info().runs["training"]
    newer = renewed_models(space, training)
    assert ("Z02", SPEED) in newer and ("Z01", SPEED) not in newer
    serving = serving_models(space, training, ())
    assert serving["micromodel", "Z02", SPEED].train_end > serving["micromodel", "Z01", SPEED].train_end
    mine = views.alarms(queries)
    mine = mine[(mine["zone_id"] == "Z02") & (mine["target"] == SPEED) & (mine["kind"] != "stuck")]
    assert (mine["state"] == "closed").all() and mine["closed_why"].iloc[0].startswith("trained again")
    card = Registry(space.models).show("Z02", SPEED)
    assert card["decision"]["promoted"] and card["renews"] == training and card["validation"][0]["n"] > 100
    report = monitor_workspace(space)  # and the newer model is what is watched now
    row = report.zones[(report.zones["zone_id"] == "Z02") & (report.zones["target"] == SPEED)].iloc[0]
    assert row["state"] == "ok"


def test_rolled_back_the_first_model_serves_again(watched):
    space, queries = watched
    run(space, "retrain", zone="Z02", by="Aino")
    assert "0001" in monitor.act(queries, "monitor-rollback", {"name": "Bo", "zone": "Z02", "target": SPEED})
    assert ("Z02", SPEED) not in renewed_models(space, queries.info().runs["training"])


def test_a_pinned_model_stays(watched):
    space, queries = watched
    given = {"name": "Bo", "zone": "Z02", "target": SPEED}
    monitor.act(queries, "monitor-pin", given)
    assert parts.model_now(queries, "Z02", SPEED)[1]
    run(space, "retrain", zone="Z02", by="Aino")
    registry = Registry(space.models)
    assert registry.current("Z02", SPEED) == "0001" and list(registry.versions("Z02", SPEED)) == ["0001", "0002"]
    monitor.act(queries, "monitor-pin", given)
    assert not parts.model_now(queries, "Z02", SPEED)[1]


def test_a_policy_on_drift_starts_a_training_of_that_zone_alone(drifted, monkeypatch):
    """The alarm has stood for five days: 16 h of the first day are left out of the count only if it is seen late."""
    monkeypatch.setattr("app.monitor_job.start_worker", lambda root, job: 0)
    monkeypatch.setattr("models.monitoring.policies.LEARN_AFTER_DAYS", (3.0,))
    set_schedule(drifted, "on drift", by="Aino")
    run(drifted, "monitor")
    (job,) = [j for j in Jobs(drifted.jobs_path).list() if j.kind == "retrain"]
    assert {zone for zone, _ in job.params["keys"]} == {"Z02"} and job.params["by"] == "policy"
    assert sum(schedule_of(drifted).lessons.values()) == len(job.params["keys"])


def test_a_change_long_enough_ago_is_learned_from_alone(watched):
    """Twenty-two days of which the last four are left out: the change, a day and a half before those, is too young."""
    space, _ = watched
    from app.monitoring import watched_panel

    panel = watched_panel(space)
    cut, table = left_out_from(panel), alarm_book(space).table()
    assert len(panel) - cut == 4 * 96
    assert changes(table, panel, cut) == {}
    early = table.assign(since=panel.times[cut - 5 * 96])
    assert set(changes(early, panel, cut).values()) == {cut - 5 * 96}


def test_strange_models_are_named_together():
    known = [("Z01", "a"), ("Z02", "a")]
    assert chosen(known, {}) == known and chosen(known, {"zone": "Z02"}) == [("Z02", "a")]
    with pytest.raises(InputError, match="Z01 b, Z09 a"):
        chosen(known, {"keys": [["Z01", "b"], ["Z09", "a"]]})
    with pytest.raises(InputError, match="zone 'Z09' has no micromodel"):
        chosen(known, {"zone": "Z09"})


def test_a_job_that_cannot_run_says_why(workspace, tmp_path, drifted):
    done = run(drifted, "retrain", zone="Z77")
    assert done.state == FAILED and "Z77" in done.message


def test_an_acknowledgement_and_a_change_are_signed(watched):
    _, queries = watched
    alarm = views.standing_alarms(queries)["alarm_id"].iloc[0]
    for button in ("monitor-ack", "monitor-retrain", "monitor-rollback", "monitor-set"):
        with pytest.raises(InputError, match="name"):
            monitor.act(queries, button, {"name": " ", "alarm": alarm, "zone": "Z02", "target": SPEED})
    monitor.act(queries, "monitor-ack", {"name": "Aino", "alarm": alarm, "note": "roadworks"})
    row = views.alarms(queries).set_index("alarm_id").loc[alarm]
    assert (row["state"], row["acknowledged_by"], row["note"]) == ("acknowledged", "Aino", "roadworks")


def test_one_training_at_a_time(watched, monkeypatch):
    space, queries = watched
    monkeypatch.setattr("app.pages.monitor.start_worker", lambda root, job: 0)
    monitor.act(queries, "monitor-retrain-all", {"name": "Aino"})
    with pytest.raises(InputError, match="already"):
        monitor.act(queries, "monitor-retrain", {"name": "Aino", "zone": "Z01"})
    job = next(j for j in Jobs(space.jobs_path).list() if j.kind == "retrain")
    Jobs(space.jobs_path).cancel(job.id)
    assert work(space, job.id) == CANCELLED


def test_the_page_changes_its_version_with_alarms_jobs_and_models(watched):
    space, queries = watched
    seen = {views.version(queries)}
    acknowledge(space, views.standing_alarms(queries)["alarm_id"].iloc[0], by="Aino")
    seen.add(views.version(queries))
    Jobs(space.jobs_path).add("scenario", {})
    seen.add(views.version(queries))
    Registry(space.models, by="x").pin("Z01", SPEED)
    seen.add(views.version(queries))
    set_schedule(space, "fixed", every_days=3)
    seen.add(views.version(queries))
    assert len(seen) == 5 and views.version(queries) in seen


def test_a_job_that_gets_on_changes_the_list_of_jobs_alone(watched):
    space, queries = watched
    jobs = Jobs(space.jobs_path)
    job = jobs.add("scenario", {})
    before, gone = views.marks(queries)
    jobs.report(job, 1.0, 2.0, "half of it")
    assert views.marks(queries)[0] == before and views.marks(queries)[1] != gone


def test_every_part_is_drawn_before_and_after_a_check(drifted):
    queries = Queries(drifted)
    for checked in (False, True):
        if checked:
            run(drifted, "monitor")
        assert monitor.layout(queries) is not None
        assert parts.error_table(queries, SPEED) and parts.sensor_table(queries) and parts.log_table(queries)
    alarm = views.standing_alarms(queries)["alarm_id"].iloc[0]
    shown, can = parts.alarm_detail(queries, alarm, "dark")
    assert can and len(shown) == 6 and "Why" in str(shown[2])
    assert parts.alarm_detail(queries, "nothing", None)[1] is False


def test_the_strip_counts_what_tables_hold(watched):
    """Four zones report flow or speed, all of them heard; six models, none pinned."""
    _, queries = watched
    f = views.figures(queries)
    assert (f.zones, f.fresh, f.models, f.pinned, f.scored) == (4, 4, 6, 0, f.scored)
    assert f.open == len(views.standing_alarms(queries)) and 0.5 < f.coverage <= 1


def _followed(space, *, now):
    """The town as a feed leaves it: a live run that was watched, whose newest reading ends at `now`."""
    runs, told = space.runs, space.describe()
    with runs.write("live", {"watched": True, "now": str(now)}, parents=(told["runs"]["training"],)) as run:
        run.table("zone_state", runs.read(told["runs"]["live"], "zone_state"))
    live = next(m["id"] for m in runs.list("live") if m["spec"].get("now") == str(now))
    space.update(now=now.isoformat(), runs={**told["runs"], "live": live})
    return Queries(space)


@pytest.mark.parametrize(("minutes", "stale"), [(20, ""), (45, "45 min"), (300, "5 h")])
def test_a_feed_that_falls_silent_for_two_steps_is_stale(drifted, minutes, stale):
    """Steps of a quarter of an hour: half an hour of silence is the most that is fresh."""
    from app.shell import status

    queries = _followed(drifted, now=pd.Timestamp.now("UTC").floor("s") - pd.Timedelta(minutes=minutes))
    assert header_status(queries)[1] == stale
    dot = status(queries)[0]
    assert dot.className == ("dot stale" if stale else "dot")


def test_what_was_simulated_or_imported_is_never_stale(drifted):
    assert header_status(Queries(drifted)) == ("14:15", "")


def test_following_checks_by_itself_when_readings_came(watched):
    space, queries = watched
    assert not views.newer_readings(queries)
    told = space.describe()
    space.update(now=(pd.Timestamp(told["now"]) + pd.Timedelta(minutes=15)).isoformat())
    assert views.newer_readings(Queries(space))


@pytest.fixture
def citywide(drifted):
    """The same town with a macromodel and a mix of the speed, and cards that name their training."""
    training = str(drifted.describe()["runs"]["training"])
    panel = watched_panel(drifted)
    first = serving_models(drifted, training, ())["micromodel", "Z01", SPEED]
    end = panel.known_by(pd.Timestamp(first.train_end))
    zones = ("Z01", "Z02", "Z03")
    made = [
        LearnedForecaster(family, seed=1).fit(
            panel.until(end), target=SPEED, zone_ids=zones, train_end=panel.origin(end - 1)
        )
        for family in ("ridge", "macro_ridge")
    ]
    models = {"macromodel": made[1], "mix": EnsembleForecaster.of(made, zones, name="mix")}
    for name, model in models.items():
        folder = drifted.runs.root / training / "models" / name / SPEED
        folder.mkdir(parents=True)
        for file, value in model.save().items():
            (folder / file).write_bytes(value)
    card = {"training_run": training, "place": "here"}
    own = {("_city", SPEED): models["macromodel"], ("_mix", SPEED): models["mix"], ("Z02", SPEED): made[0].one("Z02")}
    Registry(drifted.models).save_many(own, dict.fromkeys(own, card))
    return drifted, training


def test_macromodel_and_mix_are_judged_and_learn_again(citywide):
    """After a check they stand below the zones, over all three of them; trained again, they serve if not worse."""
    space, training = citywide
    assert run(space, "monitor").state == DONE
    queries = Queries(space)
    rows = views.error_rows(queries, SPEED)
    assert sorted(rows["zone_id"].iloc[-2:]) == ["_city", "_mix"]
    assert rows["n"].iloc[-1] > 2 * rows["n"].iloc[0] and rows["mae"].iloc[-1] > 0
    assert views.figures(queries).scored <= 6  # the strip tells of zones
    done = run(space, "retrain", keys=[["_city", SPEED], ["_mix", SPEED]], by="Aino")
    assert done.state == DONE, done.message
    registry = Registry(space.models)
    for name in ("_city", "_mix"):
        card = registry.show(name, SPEED, "0002")
        assert card["renews"] == training and card["validation"][0]["n"] > 100
        assert (registry.current(name, SPEED) == "0002") == card["decision"]["promoted"]


def test_the_live_day_forecasts_with_what_the_registry_has_in_force(citywide):
    """Versions of an earlier training in force serve in place of the training's; rolled back, its own serve again."""
    space, training = citywide
    registry, panel = Registry(space.models), watched_panel(space)
    first = serving_models(space, training, ("macromodel",))
    assert in_force(space, training) == {}
    for name, key in (("Z02", ("micromodel", "Z02", SPEED)), ("_city", ("macromodel", SPEED))):
        older = first[key].refit(panel.until(1200), train_end=panel.origin(1199))
        registry.save(name, SPEED, older, {"training_run": "training-before", "place": "here"})
    serving = serving_models(space, training, ("macromodel",))
    for key in (("micromodel", "Z02", SPEED), ("macromodel", SPEED)):
        assert serving[key].train_end < first[key].train_end
    assert serving["micromodel", "Z01", SPEED].train_end == first["micromodel", "Z01", SPEED].train_end
    assert in_force(space, training) == {f"Z02/{SPEED}": "0003", f"_city/{SPEED}": "0002"}
    registry.rollback("Z02", SPEED)
    registry.rollback("_city", SPEED)
    assert in_force(space, training) == {}


def test_a_version_for_other_zones_does_not_serve(citywide):
    space, training = citywide
    model = serving_models(space, training, ())["micromodel", "Z02", SPEED]
    Registry(space.models).save("Z02", SPEED, model, {"training_run": "training-before", "place": "another city"})
    assert Registry(space.models).current("Z02", SPEED) == "0003" and in_force(space, training) == {}
