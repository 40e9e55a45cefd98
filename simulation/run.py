"""One run of a city, from start to end: the clock, the books and the processes put together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import simpy

from data.schemas import CONCENTRATION, VEHICLE_CLASSES, empty
from models.monitoring.alarms import alarm_table
from simulation.agents import Desk, Forecasters, Notebook, ZoneAgent, citywide_process
from simulation.air.concentration import ConcentrationMap
from simulation.air.model import AirModel
from simulation.air.weather import synthetic_weather
from simulation.clock import Phase
from simulation.errors import RunError
from simulation.live import LiveCity, Process
from simulation.observe import SensorNetwork
from simulation.processes import Incident, demand_process, incident_process, routes_process, weather_process
from simulation.recorder import AIR_TRUTH, Recorder
from simulation.soundscape import Soundscape
from simulation.traffic.engine import Counts
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import rounded_up
from simulation.trip_log import TripLog
from zones.rollup import ZoneRollup

if TYPE_CHECKING:
    from simulation.air.concentration import Raster
    from simulation.city import City
    from simulation.diary import Diary

DEFAULT_START = "2026-01-26"


@dataclass(frozen=True, eq=False, kw_only=True)
class RunResult:
    """What a run tells. Tables follow `data.schemas`; `counts` has one row an interval, conserved vehicles in each.

    `counts` goes on from the state that the run began with; `trips` and `summary` tell of this run alone.
    """

    zone_state: pd.DataFrame
    zone_truth: pd.DataFrame
    sensor_state: pd.DataFrame
    link_state: pd.DataFrame
    link_profile: pd.DataFrame
    link_totals: pd.DataFrame
    weather: pd.DataFrame
    counts: pd.DataFrame
    receptor_means: pd.DataFrame  # of the air over the run at every receptor: its row and a column a species, ug/m3
    noise: pd.DataFrame  # of each zone by day, `data.schemas.NOISE`
    concentration: pd.DataFrame  # map of the air, `data.schemas.CONCENTRATION`; empty unless asked for
    incidents: pd.DataFrame
    agents: pd.DataFrame
    trips: pd.DataFrame  # of arrived trips by vehicle class: number, mean time, distance, free-flow time
    summary: dict[str, Any]
    final_state: dict[str, np.ndarray]
    forecasts: pd.DataFrame | None = field(default=None)
    released: pd.DataFrame | None = field(default=None)  # every trip; a row of it is a trip of the log
    entry_log: EntryLog | None = field(default=None)
    alarms: pd.DataFrame | None = field(default=None)  # that agents raised, `models.monitoring.ALARMS`


def run_city(
    city: City,
    *,
    days: float,
    seed: int,
    start: pd.Timestamp | str | None,
    step_s: float,
    processes: Sequence[Process],
    forecasters: Forecasters | None,
    initial_state: Mapping[str, np.ndarray] | None,
    weather: pd.DataFrame | None,
    background: pd.DataFrame | None,
    incidents_per_day: float,
    informed_share: float,
    keep_link_state: bool,
    keep_entry_log: bool,
    diary: Diary | None,
    raster: Raster | None,
    progress: Callable[[float, float, str], Any] | None,
) -> RunResult:
    """Run a city; `City.run` describes the parameters."""
    n_steps = _steps(days, step_s)
    zero, now_s = _begin(city, start, step_s, initial_state)
    if diary is not None and initial_state is not None:
        raise RunError("a run with a diary begins on empty streets; leave initial_state out")
    if weather is None:
        until = int(np.ceil((now_s + n_steps * step_s) / 86_400)) + 1
        weather = synthetic_weather(city.latitude, zero, until, seed, longitude=city.longitude)
    air = AirModel(
        city.zones, city.adjacency, city.link_zone, city.links, fleet=city.fleet, weather=weather, seed=seed,
        start=zero, latitude=city.latitude, background=background, walls=city.street_walls, receptors=city.receptors,
    )  # fmt: skip
    places = None if raster is None else ConcentrationMap(raster, air, timezone=city.timezone, step_s=step_s)
    books = _Books(Soundscape(city, zero), places)
    length_s = n_steps * step_s
    live = LiveCity(
        city, seed=seed, start=zero, now_s=now_s, end_s=now_s + length_s, step_s=step_s, air=air, before=books.reach,
        log=keep_entry_log, informed_share=informed_share,
    )  # fmt: skip
    sensors = SensorNetwork(
        city.sensors, city.links, city.zones, seed=seed, start=zero, step_s=step_s, receptors=city.receptors
    )
    if initial_state is not None:
        _restore(live, air, sensors, books.sound, initial_state)
    if keep_entry_log:
        live.trip_log = TripLog(live.engine, live.routes.dest_link)
    live.diary = diary
    recorder = Recorder(live, sensors, n_steps, keep_link_state=keep_link_state)
    books.open(live, recorder, ZoneRollup(city.link_zone, city.links, list(city.zones["zone_id"])))
    desk = Desk(live.time(), _notebook(live, forecasters, n_steps) if forecasters else None)
    begun = live.engine.counts(), live.engine.trip_stats()
    incidents: list[Incident] = []
    env = live.env
    env.process(weather_process(live, weather))
    env.process(incident_process(live, incidents_per_day, incidents.append))
    for process in (*city.processes(), *processes):
        env.process(process(live))
    env.process(_release_orphans(live))
    env.process(routes_process(live))
    env.process(demand_process(live))
    env.process(_sensor_process(live, sensors, recorder, desk))
    agents = _agents(live, desk, forecasters)
    if progress is not None:
        env.process(_progress_process(live, progress, now_s, length_s))
    env.process(_until(live, length_s, stop := env.event()))
    env.run(until=stop)
    return _result(live, recorder, sensors, air, agents, incidents, desk, weather, books, now_s, begun)


class _Books:
    """Advances vehicles to each instant, and closes the books of an interval when its end is reached."""

    def __init__(self, sound: Soundscape, places: ConcentrationMap | None) -> None:
        self.sound, self.places = sound, places

    def open(self, live: LiveCity, recorder: Recorder, rollup: ZoneRollup) -> None:
        self.live, self.recorder, self.rollup = live, recorder, rollup
        self.next_s = live.env.now + live.step_s

    def reach(self, at: float) -> None:
        live = self.live
        live.engine.advance(at, live.routes.next_link)
        if at < self.next_s:
            return
        interval = live.engine.read_interval()
        zone_air = live.air.step(interval)
        if self.places is not None:
            self.places.book(interval.start_s)
        truth = self.rollup.traffic(
            interval.vehicle_distance_m.sum(axis=1), interval.vehicle_time_s.sum(axis=1), live.step_s
        )
        heard = self.sound.book(interval, live.air.hour(interval.start_s).temperature_k - 273.15)
        live.last = {**truth, **{name: getattr(zone_air, name) for name in AIR_TRUTH}, "laeq_db": heard}
        self.recorder.book(interval, live.last)
        self.recorder.breathe(zone_air.receptors)
        live.interval, live.zone_air = interval, zone_air
        self.next_s += live.step_s


def _steps(days: float, step_s: float) -> int:
    n_steps = days * 86_400.0 / step_s if step_s > 0 else 0.0
    if step_s <= 0 or 86_400 % step_s or n_steps < 1 or abs(n_steps - round(n_steps)) > 1e-9:
        raise RunError(
            f"days={days!r} and step_s={step_s!r}: a step must divide a day, and days be a multiple of a step"
        )
    return round(n_steps)


def _begin(
    city: City, start: pd.Timestamp | str | None, step_s: float, state: Mapping[str, np.ndarray] | None
) -> tuple[pd.Timestamp, float]:
    """Instant at which the clock is zero, UTC, and the clock's reading at the beginning."""
    if state is not None:
        if start is not None:
            raise RunError("start and initial_state cannot both be given: the state knows its time")
        zero = pd.Timestamp(int(state["run_zero_us"][0]), unit="us", tz="UTC")
        if float(state["run_step_s"][0]) != step_s:
            raise RunError(f"the state was made with step_s={state['run_step_s'][0]:g} s, not {step_s:g} s")
        return zero.as_unit("us"), float(state["traffic_clock"][0])
    moment = pd.Timestamp(DEFAULT_START if start is None else start)
    moment = moment.tz_localize(city.timezone) if moment.tzinfo is None else moment.tz_convert(city.timezone)
    if (moment.hour * 3600 + moment.minute * 60 + moment.second) % step_s:
        raise RunError(f"start={moment} must lie on a step of {step_s:g} s")
    return moment.tz_convert("UTC").as_unit("us"), 0.0


def _agents(live: LiveCity, desk: Desk, forecasters: Forecasters | None) -> list[ZoneAgent]:
    """Start one agent a zone, and the citywide models beside them."""
    own = _by_zone(forecasters.micromodels if forecasters else {})
    monitors = _by_zone(forecasters.monitors if forecasters else {})
    followers = _by_zone(forecasters.followers if forecasters else {})
    keepers = _by_zone(forecasters.keepers if forecasters else {})
    agents = [
        ZoneAgent(
            zone, place, own.get(zone, {}), monitors.get(zone, {}), followers.get(zone, {}), keepers.get(zone, {})
        )
        for place, zone in enumerate(live.city.zones["zone_id"])
    ]
    unknown = sorted(set(own) - {agent.zone_id for agent in agents})
    if unknown:
        raise RunError(f"forecasters name zones that the city does not have: {unknown[:5]}")
    for agent in agents:
        live.env.process(agent.process(live, desk))
    if forecasters and forecasters.citywide:
        targets = {target for _, target in forecasters.citywide}
        sensed = {
            target: [z for k, z in enumerate(forecasters.history.zone_ids)
                     if np.isfinite(forecasters.history.values[target][:, k]).any()]
            for target in targets
        }  # fmt: skip
        live.env.process(citywide_process(live, desk, forecasters.citywide, sensed))
    return agents


def _alarms(agents: Sequence[ZoneAgent]) -> pd.DataFrame | None:
    """What all agents' monitors raised; None where none watched."""
    monitors = [monitor for agent in agents for monitor in agent.monitors.values()]
    return alarm_table(alarm for monitor in monitors for alarm in monitor.alarms) if monitors else None


def _by_zone(of: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """By zone, then by target."""
    found: dict[str, dict[str, Any]] = {}
    for (zone, target), one in of.items():
        found.setdefault(zone, {})[target] = one
    return found


def _notebook(live: LiveCity, forecasters: Forecasters, n_steps: int) -> Notebook:
    """The agents' notebook; its history must end where the run begins."""
    history, zone_ids = forecasters.history, tuple(live.city.zones["zone_id"])
    end = history.times[-1] + pd.Timedelta(seconds=history.step_s)
    if end != live.time() or history.step_s != live.step_s or tuple(history.zone_ids) != zone_ids:
        raise RunError(
            f"the history of the forecasters ends at {end} with steps of {history.step_s} s and"
            f" {len(history.zone_ids)} zones; the run begins at {live.time()} with {live.step_s:g} s and"
            f" {len(zone_ids)} zones; they must meet"
        )
    return Notebook(forecasters, n_steps)


def _sensor_process(
    live: LiveCity, sensors: SensorNetwork, recorder: Recorder, desk: Desk
) -> Generator[simpy.Event, Any, None]:
    """Read every sensor at the end of every interval, and put the report on the agents' desk."""
    while True:
        weather = live.weather  # of the interval that begins
        yield live.wait(live.step_s, Phase.SENSORS)
        assert live.interval is not None
        sample = sensors.sample(live.interval, live.zone_air)
        desk.now = live.time()
        desk.values = sensors.zone_values(sample)
        recorder.sample(sample, desk.values)
        if desk.notebook is not None:
            desk.notebook.write(recorder.rows - 1, desk.values)
            desk.notebook.weather(recorder.rows - 1, weather)


def _progress_process(
    live: LiveCity, progress: Callable[[float, float, str], Any], begun: float, total: float
) -> Generator[simpy.Event, Any, None]:
    while True:
        progress(live.env.now - begun, total, f"{live.local():%a %d %b %H:%M}")
        yield live.wait(3600.0, Phase.AGENTS)


def _release_orphans(live: LiveCity) -> Generator[simpy.Event, Any, None]:
    """Once every process has begun."""
    yield live.wait(0.0, Phase.SIGNALS)
    live.lights.release_orphans()


def _until(live: LiveCity, seconds: float, stop: simpy.Event) -> Generator[simpy.Event, Any, None]:
    """Stop after every agent of the last interval has had its turn."""
    yield live.wait(seconds, Phase.AGENTS)
    yield live.wait(0.0, Phase.AGENTS)
    stop.succeed()


def _restore(
    live: LiveCity, air: AirModel, sensors: SensorNetwork, sound: Soundscape, state: Mapping[str, np.ndarray]
) -> None:
    def part(prefix: str) -> dict[str, np.ndarray]:
        return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}

    routes = part("routes_")
    if routes["next_link"].shape[1:] != live.routes.next_link.shape[1:]:
        raise RunError("the state has other destinations than this city; resume with the city that made the state")
    if routes["known_s"].shape != live.routes.known_s.shape:
        raise RunError(
            f"the state knows {routes['known_s'].shape[0]} kinds of drivers, this run {live.routes.perceptions}; resume"
            " with the informed_share, 1 or below, that made the state"
        )
    live.engine.restore({**part("traffic_state_"), "clock": state["traffic_clock"]})
    live.routes.restore(routes)
    live.lights.restore(part("lights_"))
    live.settle(state["live_capacity_share"])
    air.restore(part("air_"))
    sensors.restore(part("sensors_"))
    sound.restore(part("noise_"))


def _state(live: LiveCity, air: AirModel, sensors: SensorNetwork, sound: Soundscape) -> dict[str, np.ndarray]:
    traffic = live.engine.state()
    clock = traffic.pop("clock")
    return {
        "run_zero_us": np.array([round(live.start.timestamp() * 1e6)], dtype=np.int64),
        "run_step_s": np.array([live.step_s]),
        "live_capacity_share": live.capacity_share,
        "traffic_clock": clock,
        **{f"lights_{key}": value for key, value in live.lights.state().items()},
        **{f"traffic_state_{key}": value for key, value in traffic.items()},
        **{f"routes_{key}": value for key, value in live.routes.state().items()},
        **{f"air_{key}": value for key, value in air.state().items()},
        **{f"sensors_{key}": value for key, value in sensors.state().items()},
        **{f"noise_{key}": value for key, value in sound.state().items()},
    }


def _result(
    live: LiveCity,
    recorder: Recorder,
    sensors: SensorNetwork,
    air: AirModel,
    agents: Sequence[ZoneAgent],
    incidents: Sequence[Incident],
    desk: Desk,
    weather: pd.DataFrame,
    books: _Books,
    begun_s: float,
    begun: tuple[Counts, np.ndarray],
) -> RunResult:
    counts, before = live.engine.counts(), begun[0]
    stats = live.engine.trip_stats() - begun[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        per_trip = stats[:, 1:] / stats[:, :1]
    trips = pd.DataFrame(
        {
            "vehicle_class": list(VEHICLE_CLASSES), "arrived": stats[:, 0].astype(np.int64),
            "mean_time_s": per_trip[:, 0], "mean_distance_m": per_trip[:, 1], "mean_free_flow_time_s": per_trip[:, 2],
        }
    )  # fmt: skip
    released, log = live.trip_log.tables() if live.trip_log is not None else (None, None)
    at = pd.DatetimeIndex(weather["time"])
    first = live.start + pd.Timedelta(seconds=begun_s)
    inside = (at >= first.floor("h")) & (at < live.time())
    zone_truth = recorder.zone_table(recorder.truth)
    distance_m, time_s = zone_truth["vehicle_distance_m"].sum(), zone_truth["vehicle_time_s"].sum()
    return RunResult(
        zone_state=recorder.zone_table(recorder.state),
        zone_truth=zone_truth,
        sensor_state=sensors.table(recorder.samples),
        link_state=recorder.link_state(),
        link_profile=recorder.link_profile(),
        link_totals=recorder.link_totals(),
        weather=weather[inside].reset_index(drop=True),
        counts=pd.DataFrame(recorder.counts),
        receptor_means=recorder.receptor_means(),
        noise=books.sound.table(),
        concentration=empty(CONCENTRATION) if books.places is None else books.places.table(),
        incidents=pd.DataFrame(
            [(i.link_id, i.start_s, i.end_s) for i in incidents], columns=["link_id", "start_s", "end_s"]
        ),
        agents=pd.DataFrame(
            {
                "zone_id": [a.zone_id for a in agents], "observed": [a.observed for a in agents],
                "missing": [a.missing for a in agents],
                "last_seen": pd.Series([a.last_seen for a in agents], dtype="datetime64[us, UTC]"),
            }
        ),
        trips=trips,
        summary={
            "start": first.isoformat(), "end": live.time().isoformat(), "seed": live.seed, "step_s": live.step_s,
            "intervals": recorder.rows, "departed": counts.departed - before.departed,
            "arrived": counts.arrived - before.arrived, "lost": counts.lost - before.lost,
            "on_road": counts.on_road, "waiting": counts.waiting, "forced_moves": counts.forced - before.forced,
            "link_traversals": counts.traversals - before.traversals, "conserved": counts.conserved,
            "incidents": len(incidents),
            "vehicle_km": float(distance_m / 1000.0),
            "links_rounded_up": rounded_up(live.engine.arrays),
            "mean_speed_mps": float(distance_m / max(time_s, 1.0)),
            **({} if books.places is None else books.places.told()),
        },
        final_state=_state(live, air, sensors, books.sound),
        forecasts=desk.notebook.table() if desk.notebook is not None else None,
        released=released,
        entry_log=log,
        alarms=_alarms(agents),
    )  # fmt: skip
