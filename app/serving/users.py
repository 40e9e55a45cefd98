"""The file of people: names, roles and Argon2id hashes of their passwords, readable by its owner alone.

Argon2id (RFC 9106, its second recommended setting: 64 MiB, 3 passes, 4 lanes, the defaults of argon2-cffi).
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.serving.people import ROLES, is_name
from data.errors import InputError, StoreError
from data.store.folder import write_atomic

FORMAT = 1
LEAST_PASSWORD, MOST_PASSWORD = 10, 256  # characters; more would let a sign-in cost what it likes
_OTHERS_WRITE = 0o022


@dataclass(frozen=True, slots=True)
class User:
    """A row of the file; `hash` is empty for somebody whom a proxy signs in."""

    name: str
    role: str
    hash: str

    @property
    def stamp(self) -> str:
        """Changes with the password, so that sessions from before end."""
        return hashlib.sha256(self.hash.encode()).hexdigest()[:16]


class Users:
    """The people of a file, read anew when it changes.

    Parameters
    ----------
    path : Path
    hasher : PasswordHasher, optional
        Tests take a cheaper one.
    """

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self.path = path
        self._hasher = hasher or PasswordHasher()
        self._held: tuple[tuple[int, int, int], dict[str, User]] | None = None
        self._nobody = ""
        self._turn = threading.Semaphore(1)  # a check takes 64 MiB: one at a time in a process

    def all(self) -> dict[str, User]:
        """People by name.

        Raises
        ------
        StoreError
            If the file is damaged, or others than its owner may write to it.
        """
        try:
            told = self.path.stat()
        except FileNotFoundError:
            return {}
        tag = (told.st_mtime_ns, told.st_size, told.st_ino)
        if self._held is None or self._held[0] != tag:
            if os.name == "posix" and told.st_mode & _OTHERS_WRITE:
                raise StoreError(
                    f"{self.path} may be written by others than its owner; 'chmod 600 {self.path}' mends it"
                )
            self._held = (tag, _read(self.path))
        return self._held[1]

    def check(self, name: str, password: str) -> User | None:
        """The person whom name and password fit; the same work is done for a name that there is not."""
        user = self.all().get(name)
        with self._turn:
            self._nobody = self._nobody or self._hasher.hash("nobody")
            hash_ = user.hash if user is not None and user.hash else self._nobody
            try:
                self._hasher.verify(hash_, password[: MOST_PASSWORD + 1])
            except (Argon2Error, InvalidHashError):
                return None
        fits = user is not None and bool(user.hash) and len(password) <= MOST_PASSWORD
        return user if fits else None

    def add(self, name: str, role: str, password: str | None) -> bool:
        """Add somebody, or give them another role and password; True where the name is new.

        Raises
        ------
        InputError
            With every fault of name, role and password.
        """
        faults = []
        if not is_name(name):
            faults.append(f"name {name!r}: letters, digits, '.', '_', '@' and '-', at most 64, a letter or digit first")
        if role not in ROLES:
            faults.append(f"role {role!r}: one of {', '.join(ROLES)}")
        if password is not None and not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
            faults.append(f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters, this one {len(password)}")
        if password is not None and name and password.lower() == name.lower():
            faults.append("the password is the name")
        if faults:
            raise InputError("; ".join(faults))
        people = dict(self.all())
        new = name not in people
        people[name] = User(name, role, "" if password is None else self._hasher.hash(password))
        self._write(people)
        return new

    def remove(self, name: str) -> None:
        """Forget somebody; sessions of theirs end.

        Raises
        ------
        InputError
            If there is nobody of that name.
        """
        people = dict(self.all())
        if name not in people:
            raise InputError(f"{self.path} names no '{name}'; there are: {', '.join(sorted(people)) or 'none'}")
        del people[name]
        self._write(people)

    def _write(self, people: Mapping[str, User]) -> None:
        rows = {user.name: {"role": user.role, "hash": user.hash} for user in people.values()}
        write_atomic(self.path, json.dumps({"format": FORMAT, "users": rows}, indent=1, sort_keys=True).encode())


def _read(path: Path) -> dict[str, User]:
    try:
        told = json.loads(path.read_text())
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r}, this version reads {FORMAT}")
        people = {name: User(name, str(row["role"]), str(row.get("hash", ""))) for name, row in told["users"].items()}
        wrong = sorted(user.name for user in people.values() if user.role not in ROLES or not is_name(user.name))
        if wrong:
            raise ValueError(f"name or role of {', '.join(wrong)}")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged ({error}); restore it, or make it anew with 'zonewise users add'"
        ) from None
    return people
