"""The NO-NO2-O3 balance against worked values of its three closed forms, and its laws over a wide range."""

import numpy as np
import pytest

from simulation.air.chemistry import (
    UG_PER_PPB_NO,
    UG_PER_PPB_NO2,
    UG_PER_PPB_O3,
    finite_time_no2,
    photolysis_rate,
    photostationary_no2,
    react_in_place,
    reaction_rate,
    street_no2,
    ug_per_ppb,
)
from simulation.air.errors import AirError

N = 20_000


def _wide(seed=5):
    """Mixed states from clean to extreme: NOx 0-1000 ppb with any share of NO2, ozone 0-200 ppb, any light."""
    rng = np.random.default_rng(seed)
    nox = 10 ** rng.uniform(-3, 3, N)
    state = {"nox": nox, "no2": nox * rng.uniform(0, 1, N), "o3": 10 ** rng.uniform(-3, 2.3, N)}
    air = {
        "radiation": rng.uniform(0, 1100, N) * (rng.uniform(size=N) > 0.3),
        "temperature_k": rng.uniform(240, 315, N),
        "residence_s": 10 ** rng.uniform(-2, 5, N),
    }
    return state, air


@pytest.mark.parametrize(("radiation", "no2", "o3"), [(400.0, 35.1498, 18.8502), (0.0, 38.4935, 15.5065)])
def test_no2_and_ozone_equal_the_worked_case(radiation, no2, o3):
    """NOx 80, background NOx 20, NO2 12, O3 30 ppb, a fifth of the street's NOx as NO2, 288 K, 60 s.

    NO2 by mixing 0.2 (80 - 20) + 12 = 24, oxidant 54; J = 0.8e-3 exp(-10/400) + 7.4e-6 * 400 = 3.740e-3 1/s,
    k = 5.38e-2 exp(-1430/288) = 3.754e-4 1/(ppb s), R = 9.963, D = 1/(60 k) = 44.40; B = 80 + R + D + 54 = 188.36;
    NO2 = (B - sqrt(B^2 - 4 (80 * 54 + 24 D))) / 2 = 35.150.
    """
    unreacted = 0.2 * (80.0 - 20.0) + 12.0
    found = street_no2(
        np.array([80.0]),
        np.array([unreacted]),
        np.array([30.0]),
        radiation=radiation,
        temperature_k=288.0,
        residence_s=60.0,
    )
    assert found[0] == pytest.approx(no2, abs=5e-5)
    assert found[1] == pytest.approx(o3, abs=5e-5)


def test_the_closed_form_equals_the_textbook_quadratic():
    """B = NOx + R + D + O and NO2 = (B - sqrt(B^2 - 4 (NOx O + NO2 D))) / 2, where that loses no digits."""
    state, air = _wide()
    rate = reaction_rate(air["temperature_k"])
    light, renewal = photolysis_rate(air["radiation"]) / rate, 1.0 / (rate * air["residence_s"])
    oxidant = state["no2"] + state["o3"]
    b = state["nox"] + light + renewal + oxidant
    c = state["nox"] * oxidant + state["no2"] * renewal
    plain = (b - np.sqrt(np.maximum(b**2 - 4 * c, 0.0))) / 2
    no2, _ = street_no2(state["nox"], state["no2"], state["o3"], **air)
    safe = plain > 1e-6 * b
    assert safe.sum() > N / 3
    np.testing.assert_allclose(no2[safe], plain[safe], rtol=1e-7)


def test_oxidant_is_kept_and_nothing_is_negative():
    """NO2 + O3 is what mixing brought; 0 <= NO2 <= NOx and O3 >= 0 at any light, load, cold and residence time."""
    state, air = _wide()
    no2, o3 = street_no2(state["nox"], state["no2"], state["o3"], **air)
    np.testing.assert_allclose(no2 + o3, state["no2"] + state["o3"], rtol=1e-12)
    assert (o3 >= 0).all() and (no2 >= 0).all() and (no2 <= state["nox"] * (1 + 1e-12)).all()


def test_more_ozone_never_makes_less_no2_nor_less_ozone():
    """d NO2 / d O3 lies between 0 and 1 in a quadratic balance: what ozone is added is shared by both."""
    state, air = _wide(6)
    low = street_no2(state["nox"], state["no2"], state["o3"], **air)
    high = street_no2(state["nox"], state["no2"], state["o3"] * 1.1, **air)
    scale = state["no2"] + state["o3"]
    assert (high[0] >= low[0] - 1e-12 * scale).all() and (high[1] >= low[1] - 1e-12 * scale).all()
    assert (high[0] > low[0]).mean() > 0.5


def test_more_light_never_makes_more_no2():
    """J only destroys NO2."""
    state, air = _wide(7)
    dark = street_no2(state["nox"], state["no2"], state["o3"], **{**air, "radiation": 0.0})[0]
    bright = street_no2(state["nox"], state["no2"], state["o3"], **{**air, "radiation": 800.0})[0]
    assert (bright <= dark * (1 + 1e-12)).all() and (bright < 0.999 * dark).any()


@pytest.mark.parametrize("residence", [0.0, 1e-9])
def test_air_that_just_passes_through_does_not_react(residence):
    """At a residence time of 0, NO2 and ozone are exactly what mixing left; just above, nearly."""
    state, air = _wide(8)
    no2, o3 = street_no2(state["nox"], state["no2"], state["o3"], **{**air, "residence_s": residence})
    np.testing.assert_allclose(no2, state["no2"], rtol=1e-9 if residence == 0 else 1e-5)
    np.testing.assert_allclose(o3, state["o3"], rtol=1e-9 if residence == 0 else 1e-5)


@pytest.mark.parametrize("light", [0.0, 0.008])
def test_air_that_stays_for_ever_is_photostationary(light):
    """For tau -> inf the balance is J NO2 = k NO O3: with k1 NOx of the other form set equal, both give one state.

    1 ppb at temperature T is P / (R T) 1e-9 mol/m3, so k[1/(ppb s)] = k1[cm3/s] * 6.022e23 * P / (R T) * 1e-15
    (molecules per cm3 in a ppb).
    """
    state, _ = _wide(9)
    temperature = 290.0
    k1 = 1.4e-12 * np.exp(-1310.0 / temperature)
    per_ppb = 6.022e23 * 101_325.0 / (8.314462618 * temperature) * 1e-15
    rate = reaction_rate(temperature)
    # radiation that gives OSPM's rate the same Leighton ratio: solve J / k by bisection
    wanted = light / (k1 * per_ppb) * rate
    low, high = 0.0, 4000.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if photolysis_rate(middle) < wanted else (low, middle)
    no2, o3 = street_no2(
        state["nox"], state["no2"], state["o3"], radiation=high, temperature_k=temperature, residence_s=np.inf
    )
    # 1 ppb is per_ppb molecules a cm3: times molar mass over 6.022e23, 1e12 ug/m3 in a g/cm3
    mass = {"nox": 46.0, "no2": 46.0, "o3": 48.0}
    as_mass = {name: values * mass[name] * per_ppb / 6.022e23 * 1e12 for name, values in state.items()}
    steady = photostationary_no2(
        as_mass["nox"], as_mass["no2"], as_mass["o3"], photolysis_per_s=light, temperature_k=temperature
    )
    np.testing.assert_allclose(steady[0] / as_mass["nox"], no2 / state["nox"], rtol=1e-6)
    np.testing.assert_allclose(steady[2] / as_mass["o3"], o3 / state["o3"], rtol=1e-5, atol=1e-9)
    nearly = street_no2(
        state["nox"], state["no2"], state["o3"], radiation=high, temperature_k=temperature, residence_s=1e18
    )
    np.testing.assert_allclose(nearly[0], no2, rtol=1e-5)


def test_air_without_nox_or_without_anything_stays_as_it_is():
    """No NO: ozone is untouched; nothing at all: nothing, without a warning."""
    with np.errstate(divide="raise", invalid="raise"):
        no2, o3 = street_no2(
            np.zeros(2), np.zeros(2), np.array([40.0, 0.0]), radiation=0.0, temperature_k=288.0, residence_s=np.inf
        )
        steady = photostationary_no2(0.0, 0.0, np.array([40.0, 0.0]), photolysis_per_s=0.0)
        later = finite_time_no2(0.0, 0.0, np.array([40.0, 0.0]), photolysis_per_s=0.0, time_s=np.inf)
    assert no2.tolist() == [0.0, 0.0] and o3.tolist() == [40.0, 0.0]
    for no2, no, o3 in (steady, later):
        assert no2.tolist() == [0.0, 0.0] and no.tolist() == [0.0, 0.0]
        np.testing.assert_allclose(o3, [40.0, 0.0])


def test_missing_values_stay_missing_in_all_forms():
    """A NaN in NOx, ozone, light or residence time gives NaN there and nowhere else."""
    base = np.full(6, 20.0)
    nox, o3, radiation, residence = base.copy() * 3, base.copy(), base.copy(), base.copy()
    nox[1], o3[2], radiation[3], residence[4] = np.nan, np.nan, np.nan, np.nan
    no2, ozone = street_no2(nox, base, o3, radiation=radiation, temperature_k=288.0, residence_s=residence)
    holes = [False, True, True, True, True, False]
    assert np.isnan(no2).tolist() == holes and np.isnan(ozone).tolist() == holes
    kernel_no2, kernel_o3 = base.copy()[None].repeat(6, 0), o3[None].repeat(6, 0)
    react_in_place(
        nox[None].repeat(6, 0), kernel_no2, kernel_o3, radiation=radiation, temperature_k=288.0, residence_s=residence,
        unit="ppb",
    )  # fmt: skip
    assert np.isnan(kernel_no2[3]).all() and np.isnan(kernel_o3[3]).all()
    assert np.isnan(kernel_no2[0]).tolist() == [False, True, True, False, True, False]
    assert np.isnan(kernel_o3[0]).tolist() == [False, True, True, False, True, False]


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-13), (np.float32, 3e-7)])
def test_the_kernel_does_what_the_plain_form_does(dtype, rtol):
    """Arrays of (hours, receptors), hourly light and warmth, a residence time of every cell; NOx is not touched."""
    state, air = _wide(10)
    shape = (50, N // 50)
    nox, no2, o3 = (state[name].reshape(shape).astype(dtype) for name in ("nox", "no2", "o3"))
    hourly = {name: air[name].reshape(shape)[:, 0] for name in ("radiation", "temperature_k")}
    stay = air["residence_s"].reshape(shape)
    wide = (values.astype(float) for values in (nox, no2, o3))
    plain = street_no2(
        *wide, radiation=hourly["radiation"][:, None], temperature_k=hourly["temperature_k"][:, None], residence_s=stay
    )
    kept = nox.copy()
    react_in_place(nox, no2, o3, **hourly, residence_s=stay, unit="ppb")
    assert no2.dtype == dtype and (nox == kept).all()
    np.testing.assert_allclose(no2, plain[0], rtol=rtol)
    np.testing.assert_allclose(o3, plain[1], rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("stay", [60.0, np.full(4, 60.0), np.full((3, 1), 60.0), np.full((3, 4), 60.0)])
def test_residence_times_broadcast_over_hours_and_receptors(stay):
    """One number, one a receptor, one an hour or one a cell: the same 60 s, the same worked 35.1498 ppb."""
    nox, no2, o3 = np.full((3, 4), 80.0), np.full((3, 4), 24.0), np.full((3, 4), 30.0)
    react_in_place(nox, no2, o3, radiation=400.0, temperature_k=288.0, residence_s=stay, unit="ppb")
    np.testing.assert_allclose(no2, 35.1498, atol=5e-5)


def test_units_only_scale():
    """80 ppb of NOx are 152.8 ug/m3 (1.91 a ppb), 30 ppb of ozone 60: NO2 after is 35.1498 * 1.91 = 67.136 ug/m3."""
    for unit, scale in (("ug_per_m3", 1.0), ("g_per_m3", 1e-6)):
        nox, no2, o3 = np.array([152.8]) * scale, np.array([24 * 1.91]) * scale, np.array([60.0]) * scale
        react_in_place(nox, no2, o3, radiation=400.0, temperature_k=288.0, residence_s=60.0, unit=unit)
        assert no2[0] == pytest.approx(67.136 * scale, rel=3e-6) and o3[0] == pytest.approx(37.7004 * scale, rel=3e-6)


def test_the_kernel_tells_all_faults_at_once():
    """Shapes, dtypes, unit, light for another number of hours and negative times, in one message; nothing changes."""
    nox, no2, o3 = np.ones((3, 4)), np.ones((3, 4), dtype=np.float32), np.ones((3, 5))
    with pytest.raises(AirError, match=r"(?s)unit 'ppm'.*shapes.*dtypes.*radiation.*2 negative") as caught:
        react_in_place(
            nox, no2, o3, radiation=np.ones(2), temperature_k=288.0, residence_s=np.array([-1.0, -2.0, 1.0, 1.0]),
            unit="ppm",
        )  # fmt: skip
    assert "g_per_m3" in str(caught.value) and (no2 == 1).all()
    with pytest.raises(AirError, match="C-contiguous"):
        react_in_place(
            np.ones((4, 3)).T, np.ones((3, 4)), np.ones((3, 4)), radiation=0, temperature_k=288, residence_s=1
        )


@pytest.mark.parametrize(
    ("state", "light", "no2", "no", "o3"),
    [
        ((100.0, 30.0, 60.0), 0.0, 87.500, None, 0.0),
        ((100.0, 30.0, 60.0), 0.008, 50.889, 32.029, 38.203),
        ((20.0, 10.0, 80.0), 0.0, 20.000, 0.0, 69.565),
    ],
)
def test_the_photostationary_state_equals_the_worked_cases(state, light, no2, no, o3):
    """NOx, NO2, O3 in ug/m3 at 298.15 K. In the dark the scarcer of NO and O3 is used up.

    First: NO 70/46 = 1.522, O3 60/48 = 1.25 umol/m3: all ozone goes, NO2 = 30 + 1.25 * 46 = 87.5. Third: NO 10/46 all
    goes, O3 = 80 - 48 * 10/46 = 69.565. Second: J / (k1 NOx) with k1 = 1.4e-12 exp(-1310/298.15) = 1.7296e-14 cm3/s.
    """
    found = photostationary_no2(*state, photolysis_per_s=light, temperature_k=298.15)
    assert found[0] == pytest.approx(no2, abs=5e-4) and found[2] == pytest.approx(o3, abs=5e-4)
    if no is not None:
        assert found[1] == pytest.approx(no, abs=5e-4)


def test_the_leighton_ratio_is_one():
    """J NO2 = k1 NO O3 in number densities, to 1e-12 in the worked case and 1e-9 over a wide range of states."""
    per_cm3 = 6.022e23 / 1e12
    for (nox, no2, o3), tolerance in (((100.0, 30.0, 60.0), 1e-12), (_spread(), 1e-9)):
        after, nitric, ozone = photostationary_no2(nox, no2, o3, photolysis_per_s=0.008, temperature_k=298.15)
        k1 = 1.4e-12 * np.exp(-1310.0 / 298.15)
        gain = k1 * (nitric / 30 * per_cm3) * (ozone / 48 * per_cm3)
        np.testing.assert_allclose(0.008 * after / 46 * per_cm3, gain, rtol=tolerance)


def _spread():
    rng = np.random.default_rng(3)
    nox = rng.uniform(1, 500, 2000)
    return nox, nox * rng.uniform(0, 1, 2000), rng.uniform(1, 200, 2000)


def test_the_finite_time_form_equals_the_worked_case():
    """NOx 100, NO2 30, O3 60 ug/m3 in the dark at 298.15 K, after 10 to 600 s; then on to 87.5."""
    time = np.array([10.0, 30.0, 60.0, 120.0, 600.0, 1e6, np.inf])
    no2, _, _ = finite_time_no2(100.0, 30.0, 60.0, photolysis_per_s=0.0, time_s=time)
    np.testing.assert_allclose(no2, [37.964, 49.071, 59.265, 69.888, 85.288, 87.5, 87.5], atol=5e-4)


def test_the_finite_time_form_solves_the_rate_equation():
    """dNO2/dt = k1 NO O3 - J NO2, by 20,000 small midpoint steps over 120 s in daylight."""
    light, k1, per_cm3 = 0.006, 1.4e-12 * np.exp(-1310.0 / 285.0), 6.022e23 / 1e12
    n, y, z = 120 / 46 * per_cm3, 20 / 46 * per_cm3, 70 / 48 * per_cm3
    total, step = y + z, 120.0 / 20_000

    def slope(y):
        return k1 * (n - y) * (total - y) - light * y

    for _ in range(20_000):
        y += step * slope(y + 0.5 * step * slope(y))
    found = finite_time_no2(120.0, 20.0, 70.0, photolysis_per_s=light, time_s=120.0, temperature_k=285.0)[0]
    assert found == pytest.approx(y * 46 / per_cm3, rel=1e-7)


def test_equal_no_and_ozone_in_the_dark_divide_by_nothing():
    """NOx = oxidant and J = 0 make both roots one: f = 1 - (1 - f0) / (1 + (1 - f0) td), td = k1 NOx t.

    NOx 46, NO2 10 ug/m3 and O3 = 36/46 * 48: 1 umol/m3 of each; k1 NOx = 1.7296e-14 * 6.022e11 = 0.010416 1/s.
    """
    time = np.array([0.0, 10.0, 600.0, np.inf])
    f0, td = 10 / 46, 1.4e-12 * np.exp(-1310 / 298.15) * 6.022e11 * np.minimum(time, 1e30)
    with np.errstate(divide="raise", invalid="raise"):
        no2, _, _ = finite_time_no2(46.0, 10.0, 36 / 46 * 48, photolysis_per_s=0.0, time_s=time)
    np.testing.assert_allclose(no2 / 46, 1 - (1 - f0) / (1 + (1 - f0) * td), rtol=1e-9)


def test_finite_time_keeps_nox_and_oxidant_and_runs_one_way():
    """Between start and steady state NO2 moves one way; NO + NO2 and NO2 + O3 (mol) stay; at 0 s all is as it was."""
    nox, no2, o3 = _spread()
    before = no2
    steady = photostationary_no2(nox, no2, o3, photolysis_per_s=0.005)[0]
    for seconds in (0.0, 3.0, 30.0, 300.0, 3000.0):
        after, nitric, ozone = finite_time_no2(nox, no2, o3, photolysis_per_s=0.005, time_s=seconds)
        np.testing.assert_allclose(after / 46 + nitric / 30, nox / 46, rtol=1e-12)
        np.testing.assert_allclose(after / 46 + ozone / 48, no2 / 46 + o3 / 48, rtol=1e-12)
        assert ((after - before) * (steady - no2) >= -1e-9).all()
        assert seconds > 0 or np.allclose(after, no2, rtol=1e-12)
        before = after
    np.testing.assert_allclose(before, steady, rtol=1e-4)
    with pytest.raises(AirError, match="1 negative"):
        finite_time_no2(1.0, 1.0, 1.0, photolysis_per_s=0.0, time_s=-1.0)


def test_ppb_and_micrograms_follow_the_gas_law():
    """At 20 deg C a mole fills 24.055 l: 46 / 24.055 = 1.912, 30 / 24.055 = 1.247, 48 / 24.055 = 1.995 ug/m3 a ppb."""
    for species, rounded in (("no2", UG_PER_PPB_NO2), ("no", UG_PER_PPB_NO), ("o3", UG_PER_PPB_O3)):
        assert ug_per_ppb(species) == pytest.approx(rounded, abs=0.005)
    assert ug_per_ppb("no2", temperature_k=298.15) == pytest.approx(1.88, abs=0.005)
    with pytest.raises(AirError, match="'so2'"):
        ug_per_ppb("so2")
