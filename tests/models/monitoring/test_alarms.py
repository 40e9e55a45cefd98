"""The book of alarms: append-only, entered once, acknowledged by name."""

import numpy as np
import pandas as pd
import pytest

from data.errors import StoreError
from data.store.protocol import MemoryStore
from models.errors import AlarmError
from models.monitoring import Alarm, AlarmBook

AT = pd.Timestamp("2026-03-01 12:00", tz="UTC")


def alarm(zone="Z1", kind="mean", size=2.5):
    return Alarm.new(
        zone_id=zone, target="speed_mps", kind=kind, since=AT - pd.Timedelta(hours=5), first_seen=AT, size=size,
        size_text="9 km/h lower than forecast", reason="Speed.", advice="retrain", level=1.2,
    )  # fmt: skip


def test_the_same_alarm_is_entered_once():
    book = AlarmBook(MemoryStore())
    assert book.enter([alarm(), alarm("Z2")]) == 2
    assert book.enter([alarm(), alarm("Z2")]) == 0
    assert len(book.table()) == 2 and len(book.store.list()) == 1


def test_what_happens_is_appended_and_the_state_follows():
    """Raised, acknowledged, closed: three entries, the first still as it was written."""
    store = MemoryStore()
    book = AlarmBook(store)
    book.enter([alarm()])
    before = store.get(store.list()[0])
    name = alarm().alarm_id
    book.acknowledge(name[:6], by="Aino", note="roadworks until May")
    assert book.table().loc[0, ["state", "acknowledged_by", "note"]].tolist() == [
        "acknowledged", "Aino", "roadworks until May",
    ]  # fmt: skip
    book.enter([alarm().ended(AT + pd.Timedelta(days=2), "all quiet again")])
    row = book.table().loc[0]
    assert (
        row["state"] == "closed" and row["closed"] == AT + pd.Timedelta(days=2) and row["note"] == "roadworks until May"
    )
    assert len(store.list()) == 3 and store.get(store.list()[0]) == before


def test_a_size_that_is_not_known_survives():
    book = AlarmBook(MemoryStore())
    book.enter([alarm(size=float("nan"))])
    assert np.isnan(book.alarms()[0].size) and book.table()["size"].isna().all()


def test_an_acknowledgement_that_cannot_be_is_refused():
    book = AlarmBook(MemoryStore())
    book.enter([alarm(), alarm("Z2").ended(AT, "trained again")])
    with pytest.raises(AlarmError, match="no alarm begins with 'zz'; there are: " + alarm().alarm_id):
        book.acknowledge("zz", by="Aino")
    with pytest.raises(AlarmError, match="needs a name"):
        book.acknowledge(alarm().alarm_id, by=" ")
    with pytest.raises(AlarmError, match=r"is closed \(trained again\)"):
        book.acknowledge(alarm("Z2").alarm_id, by="Aino")
    assert len(book.store.list()) == 1


def test_a_damaged_entry_is_named():
    book = AlarmBook(MemoryStore({"entries/000001-x.json": b"[{"}))
    with pytest.raises(StoreError, match=r"entries/000001-x\.json is damaged"):
        book.table()
