"""The registry: every version of every model, by zone and target, and which one is in force.

A version is a folder of files below `<zone>/<target>/<number>/` with a `card.json` that says what it is and carries
the files' SHA-256; it is written last, so that a version is whole or not there. `<zone>/<target>/current.json` (see
`standing`) names the version in force, those before it and a pin. A change is one atomic write of that file, its line
in `log.jsonl` (see `registry_log`) comes before; a process may be killed anywhere, the version in force stays usable.
The macromodel lives under the zone `_city`, a stack of models under `_mix`. Everything is JSON, NumPy `npz` and
XGBoost UBJSON.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.store.protocol import SharedStore
from models import registry_index, registry_log
from models.contract import Forecaster
from models.errors import ModelFileError, RegistryError
from models.registry_files import CARD, Key, Versions, card_of, folder
from models.standing import Standing

if TYPE_CHECKING:
    from models.panel import Panel
    from models.succession import Decision

CITY = "_city"
_COLUMNS = ("zone_id", "target", "version", "versions", "family", "train_end", "bytes", "since", "note")
_Step = tuple[str, Standing, str]  # action, what it leads to, why
_CURE = "'zonewise models check --repair' takes it from the log, or promote a version again"


class Registry:
    """Models in a `Store`.

    Parameters
    ----------
    store : SharedStore
        Where the bytes are kept, e.g. a workspace's `models`.
    by : str
        Who changes things, for the log; empty takes the name of the user who is signed in.
    """

    def __init__(self, store: SharedStore, *, by: str = "") -> None:
        self.store = store
        self.by = by
        self.held = Versions(store)

    # ------------------------------------------------------------------ new versions

    def save(
        self,
        zone_id: str,
        target: str,
        forecaster: Forecaster,
        card: Mapping[str, Any] | None = None,
        *,
        promote: bool = True,
        why: str = "",
    ) -> str:
        """Store a new version and, unless told otherwise, put it in force; returns its number, e.g. `0001`.

        A pinned model keeps the version in force; the new one is stored beside it.

        Parameters
        ----------
        card : mapping
            Anything worth telling, as JSON values: errors, reasons, the training run's id; see `cards.describe`.
        why : str
            For the log.
        """
        key = (zone_id, target)
        return self.save_many({key: forecaster}, {key: card or {}}, promote={key: promote}, why={key: why})[key]

    def save_many(
        self,
        models: Mapping[Key, Forecaster],
        cards: Mapping[Key, Mapping[str, Any]] | None = None,
        *,
        promote: Mapping[Key, bool] | None = None,
        why: Mapping[Key, str] | None = None,
    ) -> dict[Key, str]:
        """Store a new version of each model, and put those in force that `promote` does not say no to.

        Returns
        -------
        dict
            Number of the version by (zone, target).
        """
        packed = {key: model.save() for key, model in models.items()}
        cards, promote, why = cards or {}, promote or {}, why or {}
        with self.store.lock():
            standing = {key: self.find(key, or_empty=True) for key in models}
            made = {key: self.held.next(key) for key in models}
            values: dict[str, bytes] = {}
            heads: dict[str, bytes] = {}
            for key, files in packed.items():
                base = f"{folder(key)}/{made[key]}"
                values |= {f"{base}/{name}": value for name, value in files.items()}
                heads[f"{base}/{CARD}"] = card_of(
                    key, made[key], models[key], files, cards.get(key, {}), standing[key].version or None
                )
            self.store.put_many(values)
            self.store.put_many(heads)
            wanted = {key: version for key, version in made.items() if promote.get(key, True)}
            kept = {key: made[key] for key in models if key not in wanted}
            self.note(kept, standing, "keep", why)
            self._put_in_force(wanted, standing, why, automatic=True)
        return made

    def promote_if_better(
        self,
        zone_id: str,
        target: str,
        forecaster: Forecaster,
        card: Mapping[str, Any] | None = None,
        *,
        panel: Panel,
        left_out_from: pd.Timestamp,
        judged: Forecaster | None = None,
        seed: int = 0,
    ) -> tuple[str, Decision]:
        """Store a new version; put it in force where it is not worse than the one there on data that neither has seen.

        Parameters
        ----------
        panel : Panel
            Readings, among them those left out.
        left_out_from : Timestamp
            UTC; readings from here on have taught the judged model nothing.
        judged : Forecaster or None
            What is scored in place of `forecaster`, where that was learned again from all readings; None scores it.

        Returns
        -------
        str
            Number of the new version.
        Decision
            Whether it is in force now, and why; also in its card under `decision`.
        """
        from models.succession import succeed

        key = (zone_id, target)
        made, decisions = succeed(
            self, {key: forecaster}, panel, left_out_from=left_out_from, cards={key: card or {}},
            judged=None if judged is None else {key: judged}, seed=seed,
        )  # fmt: skip
        return made[key], decisions[key]

    # ------------------------------------------------------------------ changes of what is in force

    def promote(self, zone_id: str, target: str, version: str, *, why: str = "", force: bool = False) -> None:
        """Put a version in force, also an older one.

        Raises
        ------
        RegistryError
            If there is no such version, or the model is pinned and `force` is not given.
        ModelFileError
            If the version is damaged.
        """
        self.promote_many({(zone_id, target): version}, why=why, force=force)

    def promote_many(self, versions: Mapping[Key, str], *, why: str = "", force: bool = False) -> None:
        """Put several versions in force; nothing changes where one of them cannot be, and all that cannot are named."""
        with self.store.lock():
            standing, faults = {}, []
            for key, version in versions.items():
                try:
                    standing[key] = self.find(key, or_empty=True, repair=True)
                    self.held.whole(key, version)
                    if standing[key].pin and not force:
                        faults.append(_held(key, standing[key]))
                except (RegistryError, ModelFileError) as error:
                    if len(versions) == 1:
                        raise
                    faults.append(str(error))
            if faults:
                raise RegistryError("nothing was promoted: " + "; ".join(faults))
            self._put_in_force(dict(versions), standing, dict.fromkeys(versions, why), automatic=False)

    def rollback(self, zone_id: str, target: str, *, why: str = "", force: bool = False) -> str:
        """Put the version before the one in force back; again, the one before that. Returns its number.

        Versions that were pruned or are damaged are passed over.

        Raises
        ------
        RegistryError
            If nothing whole was in force before, or the model is pinned and `force` is not given.
        """
        key = (zone_id, target)
        with self.store.lock():
            standing = self.find(key, repair=True)
            if standing.pin and not force:
                raise RegistryError(_held(key, standing))
            passed = []
            for version in dict.fromkeys(standing.history[::-1]):
                try:
                    self.held.whole(key, version)
                except (RegistryError, ModelFileError):
                    passed.append(version)
                    continue
                if version == standing.version:
                    continue
                told = why + (f" ({', '.join(passed)} passed over: not whole)" if passed else "")
                when = registry_log.now()
                after = standing.rolled_back(version, when=when, by=self._who(), why=told)
                self._change({key: [("rollback", after, told)]}, {key: standing}, when)
                return version
        raise RegistryError(
            f"nothing to roll back to: no whole version of '{target}' was in force in zone '{zone_id}' before"
            f" {standing.version}; there are {self.versions(*key)}, promote one of them"
        )

    def pin(self, zone_id: str, target: str, *, version: str | None = None, why: str = "") -> None:
        """Hold a version in force (the present one where none is named) against automatic promotion."""
        key = (zone_id, target)
        with self.store.lock():
            standing = self.find(key, repair=True, or_empty=version is not None)
            when, told = registry_log.now(), {"by": self._who(), "why": why}
            after = standing
            steps: Sequence[_Step] = ()
            if version is not None and version != standing.version:
                self.held.whole(key, version)
                after = after.promoted(version, when=when, **told)
                steps = (*steps, ("promote", after, why))
            after = after.pinned(when=when, **told)
            steps = (*steps, ("pin", after, why))
            self._change({key: steps}, {key: standing}, when)

    def unpin(self, zone_id: str, target: str, *, why: str = "") -> bool:
        """Open a model to automatic promotion again; False where it was not pinned."""
        key = (zone_id, target)
        with self.store.lock():
            standing = self.find(key, repair=True)
            if standing.pin is None:
                return False
            self._change({key: [("unpin", standing.unpinned(), why)]}, {key: standing}, registry_log.now())
        return True

    # ------------------------------------------------------------------ questions

    def current(self, zone_id: str, target: str) -> str:
        """Version in force; `RegistryError` where there is none."""
        return self.find((zone_id, target)).version

    def standing(self, zone_id: str, target: str) -> Standing:
        """What is in force, what was before, and a pin; `RegistryError` where nothing is in force."""
        return self.find((zone_id, target))

    def versions(self, zone_id: str, target: str) -> Sequence[str]:
        """Numbers of all whole versions, oldest first."""
        return self.held.versions((zone_id, target))

    def show(self, zone_id: str, target: str, version: str | None = None) -> dict[str, Any]:
        """Card of a version, of the one in force where none is named; `RegistryError` where there is none."""
        return self.held.card((zone_id, target), self.current(zone_id, target) if version is None else version)

    def files(self, zone_id: str, target: str, version: str | None = None) -> dict[str, bytes]:
        """The files of a version as stored, but its card; errors as in `load`."""
        return self.held.files(self.show(zone_id, target, version))

    def load(self, zone_id: str, target: str, version: str | None = None) -> Forecaster:
        """A model as saved; the one in force where no version is named.

        Raises
        ------
        RegistryError
            If there is no such version.
        ModelFileError
            If a file is missing, or differs from what the card says.
        """
        return Forecaster.load(self.files(zone_id, target, version))

    def list(self) -> pd.DataFrame:
        """All models: zone_id, target, version in force, number of versions, family, train_end, bytes, since, note.

        `note` says in words what a person should know: pinned, none in force, damaged.
        """
        pairs: dict[Key, set[str]] = {}
        for key in self.store.list():
            parts = key.split("/")
            if len(parts) >= 3:
                found = pairs.setdefault((parts[0], parts[1]), set())
                if len(parts) == 4 and parts[3] == CARD and parts[2].isdigit():
                    found.add(parts[2])
        rows: list[dict[str, Any]] = []
        for (zone_id, target), numbers in pairs.items():
            row: dict[str, Any] = {"zone_id": zone_id, "target": target, "version": "", "versions": len(numbers)}
            row |= {"family": "", "train_end": "", "bytes": None, "since": "", "note": ""}
            try:
                standing = self.find((zone_id, target))
                row |= {"version": standing.version, "since": standing.since, "note": _told(standing)}
            except ModelFileError:
                row["note"] = "damaged: run 'zonewise models check'"
            except RegistryError:
                row["note"] = "none in force"
                if not numbers:
                    continue  # what a killed writer left
            rows.append(row)
        wanted = {f"{r['zone_id']}/{r['target']}/{r['version']}": r for r in rows if r["version"]}
        told = registry_index.rows(self.store, wanted, lambda key: self.show(*key.split("/")))
        for key, row in wanted.items():
            if key in told and row["version"] in pairs[row["zone_id"], row["target"]]:
                row |= {name: told[key][name] for name in ("family", "train_end", "bytes")}
            else:
                row["note"] = "damaged: run 'zonewise models check'"
        table = pd.DataFrame(rows, columns=_COLUMNS)
        return table.astype({"bytes": float}).sort_values(["zone_id", "target"], ignore_index=True)

    def log(self, zone_id: str | None = None, target: str | None = None) -> pd.DataFrame:
        """Who changed what, when and why, oldest first: when, zone_id, target, action, version, was, by, why."""
        entries = registry_log.read(self.store, self._reached)
        wanted = [
            e for e in entries
            if (zone_id is None or e["zone_id"] == zone_id) and (target is None or e["target"] == target)
        ]  # fmt: skip
        return pd.DataFrame(wanted, columns=registry_log.COLUMNS)

    # ------------------------------------------------------------------ housekeeping

    def prune(
        self, *, keep: int, zone_id: str | None = None, target: str | None = None, why: str = ""
    ) -> Sequence[tuple[str, str, str]]:
        """Remove all but the newest `keep` versions of each model; see `registry_care.prune`."""
        from models.registry_care import prune

        return prune(self, keep=keep, zone_id=zone_id, target=target, why=why)

    def sweep(self) -> int:
        """Remove what killed writers left; see `registry_care.sweep`."""
        from models.registry_care import sweep

        return sweep(self)

    def check(self, *, repair: bool = False) -> pd.DataFrame:
        """Read everything, and name what is damaged; see `registry_care.check`."""
        from models.registry_care import check

        return check(self, repair=repair)

    # ------------------------------------------------------------------ how

    def _who(self) -> str:
        if self.by:
            return self.by
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return "unknown"

    def find(self, key: Key, *, or_empty: bool = False, repair: bool = False) -> Standing:
        """What is in force; with `repair` a damaged file is taken from the log."""
        path = f"{folder(key)}/current.json"
        try:
            return Standing.decode(self.store.get(path))
        except KeyError as error:
            if error.args != (path,):
                return self._damaged(key, error, repair or or_empty)
            if or_empty:
                return Standing()
            raise RegistryError(
                f"no model of '{key[1]}' is in force in zone '{key[0]}'; train and save one first"
            ) from None
        except (ValueError, TypeError, AttributeError) as error:
            return self._damaged(key, error, repair or or_empty)

    def _damaged(self, key: Key, error: Exception, repair: bool) -> Standing:
        if repair:
            return self.from_log(key)
        raise ModelFileError(f"current.json of zone '{key[0]}', '{key[1]}' is damaged ({error}); {_CURE}") from error

    def from_log(self, key: Key) -> Standing:
        entries = [e for e in registry_log.read(self.store) if (e["zone_id"], e["target"]) == key]
        return Standing.replayed(e for e in entries if e["change"] is not None)

    def _reached(self, key: Key) -> int:
        try:
            return self.find(key).change
        except RegistryError:
            return 0
        except ModelFileError:
            return 2**62

    def _put_in_force(
        self, wanted: Mapping[Key, str], standing: Mapping[Key, Standing], why: Mapping[Key, str], *, automatic: bool
    ) -> None:
        """Promote under the lock; automatic promotion leaves pinned models."""
        when, by = registry_log.now(), self._who()
        steps: dict[Key, Sequence[_Step]] = {}
        held: dict[Key, str] = {}
        for key, version in wanted.items():
            before = standing[key]
            if automatic and before.pin:
                held[key] = version
            elif version != before.version:
                told = why.get(key, "")
                steps[key] = [("promote", before.promoted(version, when=when, by=by, why=told), told)]
        self.note(held, standing, "keep", {key: _held(key, standing[key]) for key in held})
        self._change(steps, standing, when)

    def _change(self, steps: Mapping[Key, Sequence[_Step]], before: Mapping[Key, Standing], when: str) -> None:
        """Write the log, then the standings."""
        by, entries = self._who(), []
        for key, changes in steps.items():
            was = before[key].version or None
            for action, after, why in changes:
                entries.append(
                    registry_log.entry(
                        key, action, version=after.version, was=was, by=by, why=why, change=after.change, when=when
                    )
                )
                was = after.version
        registry_log.write(self.store, entries)
        self.store.put_many({f"{folder(key)}/current.json": changes[-1][1].encode() for key, changes in steps.items()})

    def note(
        self, versions: Mapping[Key, str], standing: Mapping[Key, Standing], action: str, why: Mapping[Key, str]
    ) -> None:
        when, by = registry_log.now(), self._who()
        registry_log.write(
            self.store,
            [
                registry_log.entry(
                    key, action, version=version, was=standing[key].version or None, by=by, why=why.get(key, ""),
                    change=None, when=when,
                )
                for key, version in versions.items()
            ],
        )  # fmt: skip


def _held(key: Key, standing: Standing) -> str:
    pin = standing.pin or {}
    because = f" ({pin['why']})" if pin.get("why") else ""
    return (
        f"'{key[1]}' of zone '{key[0]}' is pinned to {standing.version} by {pin.get('by') or 'somebody'}{because};"
        f" 'zonewise models unpin {key[0]} {key[1]}' opens it"
    )


def _told(standing: Standing) -> str:
    if standing.pin is None:
        return ""
    return "pinned by " + (standing.pin.get("by") or "somebody") + (f": {w}" if (w := standing.pin.get("why")) else "")
