"""The city, frozen: everything a run needs but time and luck.

A permanent measure returns a changed City (`dataclasses.replace`); what happens within a run happens to its LiveCity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from data.schemas import (
    ADJACENCY,
    GATEWAYS,
    LINK_ZONE,
    LINKS,
    NODES,
    SENSORS,
    SIGNALS,
    STREET_WALLS,
    TURNS,
    VEHICLE_CLASSES,
    ZONES,
    empty,
    validate,
)
from data.timezones import drives_on_left
from simulation.air.fleet import Fleet, default_fleet
from simulation.air.receptors import centres, facades, stations
from simulation.air.street.walls import street_walls
from simulation.demand.gateways import PEAK_HOUR_SHARE, find_gateways
from simulation.demand.spec import DemandSpec, make_demand
from simulation.observe import place_sensors
from simulation.standing import Avoided, DemandFactor, LinkLimit, demand_product
from simulation.traffic.actuated import Actuation
from simulation.traffic.costs import Toll, UserCosts
from simulation.traffic.expected_load import expected_load
from simulation.traffic.network import LinkArrays, TurnIndex, core_links, link_arrays, turn_index
from simulation.traffic.routing import Routes
from simulation.traffic.signals import fixed_plans

if TYPE_CHECKING:
    from simulation.agents import Forecasters
    from simulation.air.concentration import Raster
    from simulation.diary import Diary
    from simulation.live import Process
    from simulation.run import RunResult


#: A demand that nobody has counted is too much if in the busiest hour some link's volume over capacity is above the
#: first figure and more than the second of the hour's trips are beyond capacity; assumption: no city locks up daily,
#: but a few side streets have queues, the more of them the larger the city.
MAX_GUESSED_LOAD, MAX_QUEUEING_SHARE = 1.0, 0.02
#: Rounds in which drivers leave overloaded streets before such a demand is scaled down.
SPREAD_ROUNDS = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class City:
    """A street network with its zones, demand, sensors and fleet. Tables follow `data.schemas`."""

    name: str
    label: str
    timezone: str
    latitude: float
    longitude: float
    crs: str
    nodes: pd.DataFrame
    links: gpd.GeoDataFrame
    turns: pd.DataFrame
    signals: pd.DataFrame
    zones: gpd.GeoDataFrame
    link_zone: pd.DataFrame
    adjacency: pd.DataFrame
    gateways: pd.DataFrame
    sensors: pd.DataFrame
    street_walls: pd.DataFrame
    receptors: pd.DataFrame  # where the air is computed: air stations, facades, centres of zones
    demand: DemandSpec
    fleet: Fleet = field(default_factory=default_fleet)
    link_fleet: tuple[tuple[tuple[int, ...], Fleet], ...] = ()
    closed: frozenset[tuple[int, int]] = frozenset()  # (link_id, index of the vehicle class)
    costs: UserCosts = field(default_factory=UserCosts)  # what time and distance cost each vehicle class
    tolls: tuple[Toll, ...] = ()
    actuated: tuple[tuple[tuple[int, ...], Actuation], ...] = ()  # links whose junctions are vehicle-actuated, and how
    demand_factors: tuple[DemandFactor, ...] = ()  # on the trips of `demand`, as they are released
    link_limits: tuple[LinkLimit, ...] = ()  # what works or weather leave of streets
    avoided: tuple[Avoided, ...] = ()  # streets that a share of the vehicles drives around

    def link_arrays(self) -> LinkArrays:
        """The links as the traffic engine reads them."""
        left = drives_on_left(self.timezone)
        return link_arrays(self.links, self.signals, turns=self.turns, drives_on_left=left)

    def turn_index(self) -> TurnIndex:
        """The turns as the router reads them."""
        return turn_index(self.turns, len(self.links))

    def processes(self) -> tuple[Process, ...]:
        """What goes on in every run of this city beside demand, weather and incidents: its actuated signals."""
        from simulation.signal_control import actuated

        return tuple(actuated(settings, link_ids=links) for links, settings in self.actuated)

    def closed_array(self) -> np.ndarray:
        """Links that each class may not use, bool, shape (classes, n_links)."""
        closed = np.zeros((len(VEHICLE_CLASSES), len(self.links)), dtype=bool)
        if self.closed:
            link, klass = np.array(list(self.closed), dtype=np.int64).T
            closed[klass, link] = True
        return closed

    def mean_demand(self) -> DemandSpec:
        """The demand with the factors that hold for good, averaged over the vehicle classes."""
        factor = demand_product(list(self.demand_factors))
        if factor is None:
            return self.demand
        if factor.ndim == 3:
            factor = np.tensordot(np.asarray(self.demand.class_share), factor, axes=1)
        return replace(self.demand, od_veh=self.demand.od_veh * factor)

    def pair_trips(self) -> np.ndarray:
        """Vehicles of a weekday from place to place, however the demand was given, with the factors that hold for good.

        Shape (P, P), order of `demand.places`.
        """
        return self.mean_demand().od_veh

    def run(
        self,
        *,
        days: float = 28,
        seed: int = 1,
        start: pd.Timestamp | str | None = None,
        step_s: float = 900.0,
        processes: Sequence[Process] = (),
        forecasters: Forecasters | None = None,
        initial_state: Mapping[str, np.ndarray] | None = None,
        weather: pd.DataFrame | None = None,
        background: pd.DataFrame | None = None,
        incidents_per_day: float = 1.5,
        informed_share: float = 1.0,
        keep_link_state: bool = False,
        keep_entry_log: bool = False,
        diary: Diary | None = None,
        raster: Raster | None = None,
        progress: Callable[[float, float, str], Any] | None = None,
    ) -> RunResult:
        """Let the city live for some days.

        Parameters
        ----------
        days : float
            Length of the run, days; a multiple of `step_s`.
        seed : int
            Of all luck: demand, perception, incidents, weather, sensors. Same seed, same result, bit for bit.
        start : Timestamp or str, optional
            Begin, in the city's time zone if it has none of its own; default 2026-01-26, a Monday. Not given with
            `initial_state`, which knows its time.
        step_s : float
            Interval of the tables and of the sensors, s.
        processes : sequence of callables
            Each takes the LiveCity and returns a SimPy generator.
        forecasters : Forecasters, optional
            With them, agents forecast every interval; without, they observe.
        initial_state : mapping of arrays, optional
            `final_state` of a run of the same city: go on from there.
        weather : DataFrame, optional
            Hourly table (`data.schemas.WEATHER`) that covers the run; default synthetic, by latitude and seed.
        background : DataFrame, optional
            Hourly `time`, `nox`, `no2`, `o3`, `pm25`, `pm10` of the air that blows into the city, ug/m3 (NOx as NO2);
            default synthetic.
        incidents_per_day : float
            Mean number of road incidents in the whole city.
        informed_share : float
            Share of drivers, 0 to 1, who learn how long the streets take and choose again on their way. The others
            drive as on empty streets, by habit; closures and tolls turn them too.
        keep_link_state : bool
            Whether the result holds `link_state`, one row a link, interval and class.
        keep_entry_log : bool
            Whether the result holds `entry_log` and `released`: every trip, and which link it entered when. All of
            `simulation.traffic.outputs` can be made of them. It takes 16 bytes a link traversal.
        diary : Diary, optional
            Ways that trips have learned on other days, and notes of the rules under which they set out (see
            `simulation.day_to_day`).
        raster : Raster, optional
            What map of the air to keep as `concentration`, e.g. `Raster(cell_m=25, every_s=3600)`: hourly means.
        progress : callable, optional
            Called with (seconds done, seconds in all, message) once an hour of the city.

        Returns
        -------
        RunResult

        Raises
        ------
        RunError
            If an option is impossible or the state belongs to another city.
        """
        from simulation.run import run_city

        return run_city(
            self, days=days, seed=seed, start=start, step_s=step_s, processes=processes, forecasters=forecasters,
            initial_state=initial_state, weather=weather, background=background, incidents_per_day=incidents_per_day,
            informed_share=informed_share, keep_link_state=keep_link_state, keep_entry_log=keep_entry_log,
            diary=diary, raster=raster, progress=progress,
        )  # fmt: skip


def make_city(
    *,
    name: str,
    nodes: pd.DataFrame,
    links: gpd.GeoDataFrame,
    turns: pd.DataFrame,
    zones: gpd.GeoDataFrame,
    link_zone: pd.DataFrame,
    adjacency: pd.DataFrame,
    timezone: str,
    latitude: float,
    longitude: float,
    crs: str,
    label: str | None = None,
    signals: pd.DataFrame | None = None,
    sensors: pd.DataFrame | None = None,
    gateway_counts: pd.DataFrame | None = None,
    demand: DemandSpec | None = None,
    fleet: Fleet | None = None,
    buildings: gpd.GeoDataFrame | None = None,
    walls: pd.DataFrame | None = None,
    seed: int = 0,
) -> City:
    """A City from tables; what is not given is made: signal plans, gateways, demand, sensors, fleet.

    Parameters
    ----------
    nodes, links, turns, zones, link_zone, adjacency : DataFrame
        Columns of `data.schemas`; `link_id` is 0..n-1 in order.
    signals, sensors : DataFrame, optional
    gateway_counts : DataFrame, optional
        `gateway_id` or `node_id`, `in_veh_per_day`, `out_veh_per_day`: replace the estimate at the border.
    buildings : GeoDataFrame, optional
        What stands beside the streets, as `simulation.air.street.walls.street_walls` reads it; without, all is open.
    walls : DataFrame, optional
        Columns of `data.schemas.STREET_WALLS`, instead of `buildings`.
    seed : int
        Of what the city is (signal offsets, places of sensors), not of what happens in it.

    Raises
    ------
    SchemaError, NetworkError, DemandError
        If a table breaks its schema or cannot carry traffic.
    """
    nodes, turns = validate(nodes, NODES), validate(turns, TURNS)
    links = gpd.GeoDataFrame(validate(links, LINKS), geometry="geometry", crs=links.crs)
    zones = gpd.GeoDataFrame(validate(zones, ZONES), geometry="geometry", crs=zones.crs)
    link_zone, adjacency = validate(link_zone, LINK_ZONE), validate(adjacency, ADJACENCY)
    gateways = validate(find_gateways(nodes, links, counts=gateway_counts), GATEWAYS)
    walls = validate(street_walls(links, buildings) if walls is None else walls, STREET_WALLS)
    fronts = facades(links, list(zones["zone_id"]), link_zone, walls)
    if sensors is None:
        sensors = place_sensors(links, zones, link_zone, fronts, seed=seed)
    sensors = validate(sensors, SENSORS)
    left = drives_on_left(timezone)
    arrays = link_arrays(links, empty(SIGNALS), turns=turns, drives_on_left=left)
    index = turn_index(turns, len(links))
    guessed = demand is None
    if demand is None:
        demand = make_demand(zones, links, link_zone, gateways, _free_flow_times(arrays, index), core_links(index))
    routes = _free_routes(arrays, index, demand)
    peak = routes.load(demand.starts(len(links))) * PEAK_HOUR_SHARE / 3600.0  # veh/s
    told = signals
    if signals is None:
        signals = fixed_plans(nodes, links, turns=turns, flow_veh_per_s=peak, seed=seed)
    if guessed:
        all_trips = demand.od_veh.sum()
        demand = _bearable(demand, peak, link_arrays(links, signals, turns=turns, drives_on_left=left), index)
        if told is None and demand.od_veh.sum() < all_trips:
            peak = peak * (demand.od_veh.sum() / all_trips)
            signals = fixed_plans(nodes, links, turns=turns, flow_veh_per_s=peak, seed=seed)
    return City(
        name=name, label=label or name, timezone=timezone, latitude=latitude, longitude=longitude, crs=crs,
        nodes=nodes, links=links, turns=turns, signals=validate(signals, SIGNALS), zones=zones, link_zone=link_zone,
        adjacency=adjacency, gateways=gateways, sensors=sensors, street_walls=walls,
        receptors=pd.concat([stations(sensors, links, walls), fronts, centres(zones, links, walls)], ignore_index=True),
        demand=demand,        fleet=fleet or default_fleet(),
    )  # fmt: skip


def peak_flow(city: City) -> np.ndarray:
    """Flow of the busiest hour of a weekday on each link if nobody meets a queue, veh/s. Shape (n_links,).

    On free-flow routes, for cars: around the links that are closed to them.
    """
    demand = city.mean_demand()
    routes = _free_routes(city.link_arrays(), city.turn_index(), demand, city.closed_array()[:1])
    return routes.load(demand.starts(len(city.links))) * PEAK_HOUR_SHARE / 3600.0


def _free_routes(arrays: LinkArrays, turns: TurnIndex, demand: DemandSpec, closed: np.ndarray | None = None) -> Routes:
    """Routes to the demand's destinations if nobody meets a queue."""
    closed = np.zeros((1, arrays.length_m.size), dtype=bool) if closed is None else closed
    routes = Routes(arrays, turns, demand.dest_link, closed, seed=0)
    routes.update()
    return routes


def gateway_share(city: City) -> float:
    """Share of vehicle-km on free-flow routes of trips with at least one end outside the city.

    Around a small centre nearly all: cordon counts of inner cities find that trips within the cordon are a few
    percent (see `simulation.demand.generation.internal_share`).
    """
    demand, n = city.demand, city.demand.n_zones
    inside = np.zeros_like(demand.od_veh)
    inside[:n, :n] = demand.od_veh[:n, :n]
    arrays, turns = city.link_arrays(), city.turn_index()
    length = arrays.length_m
    routes = _free_routes(arrays, turns, demand)
    own = float(routes.load(replace(demand, od_veh=inside).starts(length.size)) @ length)
    total = float(routes.load(demand.starts(length.size)) @ length)
    return 1.0 - own / total if total > 0 else 0.0


def _bearable(demand: DemandSpec, peak_veh_per_s: np.ndarray, arrays: LinkArrays, turns: TurnIndex) -> DemandSpec:
    """Demand that was guessed, scaled down to what streets and junctions can carry in the busiest hour.

    Drivers leave overloaded streets first: successive averages over `SPREAD_ROUNDS` rounds, in which who meets volume
    over capacity x > 1 reckons with half of what has queued up after an hour, (x - 1) / 2 hours. What is still too much
    scales all demand, by bisection: the fewer vehicles have priority, the more find a gap.
    """
    n, hour = arrays.length_m.size, PEAK_HOUR_SHARE * demand.od_veh.sum() / 3600.0

    def too_much(flow: np.ndarray, trips: float) -> bool:
        load = expected_load(flow, arrays, turns)
        queueing = float((flow * (1.0 - 1.0 / np.maximum(load, 1.0))).sum())
        return bool(load.max() > MAX_GUESSED_LOAD and queueing > MAX_QUEUEING_SHARE * trips)

    if not too_much(peak_veh_per_s, hour):
        return demand
    routes = Routes(arrays, turns, demand.dest_link, np.zeros((1, n), dtype=bool), seed=0)
    flow, free_s, starts = peak_veh_per_s.copy(), routes.known_s[0].copy(), demand.starts(n)
    for k in range(SPREAD_ROUNDS):
        routes.known_s[:] = free_s + 1800.0 * np.maximum(expected_load(flow, arrays, turns) - 1.0, 0.0)
        routes.update()
        flow += (routes.load(starts) * PEAK_HOUR_SHARE / 3600.0 - flow) / (k + 2)
    low, high = 0.0, 1.0
    if not too_much(flow, hour):
        return demand
    while high - low > 1e-3:
        scale = 0.5 * (low + high)
        low, high = (low, scale) if too_much(scale * flow, scale * hour) else (scale, high)
    return replace(demand, od_veh=demand.od_veh * low)


def _free_flow_times(arrays: LinkArrays, turns: TurnIndex) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Times from the end of some links to the end of others at free flow, found when they are asked for."""

    def between(origin: np.ndarray, destination: np.ndarray) -> np.ndarray:
        nothing = np.zeros((1, arrays.length_m.size), dtype=bool)
        routes = Routes(arrays, turns, destination, nothing, seed=0, perceptions=1, perception_sd=0.0)
        routes.update()
        return routes.time_to()[:, origin].T

    return between
