"""What a served app is told: where it listens, how people sign in, whom it trusts, what it writes down."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError

LOOPBACK = ("127.0.0.0/8", "::1/128")
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")
LOGS = ("off", "text", "json")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an app is served.

    Parameters
    ----------
    users : Path, optional
        File of names, roles and password hashes (see `users`). With `trust_header` it gives roles alone.
    trust_header, role_header : str
        Headers in which a reverse proxy says who asks, and with which role; empty for none.
    trust_from : tuple of str
        Networks of the proxies that may say so.
    hosts : tuple of str
        Names that browsers may ask for besides those of this machine, where nobody signs in.
    session_hours : float
        How long a sign-in lasts.
    log : str
        One of `LOGS`: no line a request, a line for people, or one of JSON.
    """

    users: Path | None = None
    trust_header: str = ""
    role_header: str = ""
    trust_from: tuple[str, ...] = LOOPBACK
    hosts: tuple[str, ...] = ()
    session_hours: float = 12.0
    log: str = "off"

    @property
    def open(self) -> bool:
        """Whether nobody signs in: whoever reaches the app may do everything."""
        return self.users is None and not self.trust_header

    @property
    def by_password(self) -> bool:
        """Whether people sign in on a page of ours."""
        return self.users is not None and not self.trust_header


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_settings(settings: Settings, host: str) -> None:
    """Refuse what would be unsafe or cannot be meant; all faults at once.

    Raises
    ------
    InputError
        With every fault, each with its cure.
    """
    faults = []
    if settings.open and not is_loopback(host):
        faults.append(
            f"--host {host} lets other machines in, but nobody signs in: give --users FILE (make it with 'zonewise"
            f" users add NAME --role admin'), or --trust-header NAME behind a proxy that signs people in, or stay at"
            f" 127.0.0.1"
        )
    for option, name in (("--trust-header", settings.trust_header), ("--role-header", settings.role_header)):
        if name and not _HEADER.fullmatch(name):
            faults.append(f"{option} {name!r} is no header's name; letters, digits and '-', e.g. X-Forwarded-User")
    if settings.role_header and not settings.trust_header:
        faults.append("--role-header needs --trust-header: a role alone names nobody")
    for network in settings.trust_from:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            faults.append(f"--trust-from {network!r} is no address or network; e.g. 10.0.0.7 or 10.0.0.0/24")
    if settings.users is not None and not settings.users.is_file():
        faults.append(f"--users {settings.users}: no such file; 'zonewise users add NAME --role admin' makes one")
    if settings.log not in LOGS:
        faults.append(f"--log {settings.log!r}: one of {', '.join(LOGS)}")
    if not 0 < settings.session_hours <= 24 * 30:
        faults.append(f"--session-hours {settings.session_hours:g}: more than 0 and at most 720")
    if faults:
        raise InputError("; ".join(faults))
