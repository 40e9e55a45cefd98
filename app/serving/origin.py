"""Where a request comes from: the address, scheme and host, also through a proxy that may say so."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.serving.settings import LOCAL_NAMES, LOOPBACK, Settings

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; False for what is no address."""
    try:
        place = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(place, ipaddress.IPv6Address) and place.ipv4_mapped is not None:
        place = place.ipv4_mapped
    found = (ipaddress.ip_network(network, strict=False) for network in networks)
    return any(place.version == network.version and place in network for network in found)


def from_proxy(environ: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the peer is a proxy that is trusted to say who asks."""
    return within(str(environ.get("REMOTE_ADDR", "")), settings.trust_from)


def client_address(environ: Mapping[str, Any], settings: Settings) -> str:
    """Address of who asks: the last of the forwarded ones that is no proxy of ours, where the peer is one."""
    peer = str(environ.get("REMOTE_ADDR", ""))
    if not from_proxy(environ, settings):
        return peer
    for part in reversed(str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")):
        address = part.strip()
        try:
            ipaddress.ip_address(address)
        except ValueError:
            break
        peer = address
        if not within(address, settings.trust_from):
            break
    return peer


def is_direct_local(environ: Mapping[str, Any]) -> bool:
    """Whether a program of this machine asks itself, and no proxy for somebody else."""
    local = within(str(environ.get("REMOTE_ADDR", "")), LOOPBACK)
    return local and not any(name in environ for name in _FORWARDED) and _name(host(environ)) in LOCAL_NAMES


def is_https(environ: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the browser speaks TLS, to us or to the proxy."""
    if from_proxy(environ, settings) and environ.get("HTTP_X_FORWARDED_PROTO"):
        return str(environ["HTTP_X_FORWARDED_PROTO"]).split(",")[0].strip().lower() == "https"
    return environ.get("wsgi.url_scheme") == "https"


def host(environ: Mapping[str, Any]) -> str:
    """Host and port as the browser asked for them."""
    return str(environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")).lower()


def _name(host_and_port: str) -> str:
    if host_and_port.startswith("["):
        return host_and_port.partition("]")[0] + "]"
    return host_and_port.partition(":")[0]


def host_fault(environ: Mapping[str, Any], settings: Settings) -> str:
    """Why a host name is refused; empty where it is fine.

    Where nobody signs in, a page elsewhere could have its own name point at this machine and read everything as if it
    were ours (DNS rebinding). Its name then stands in `Host`.
    """
    asked = _name(host(environ))
    if not settings.open or asked in LOCAL_NAMES or asked in {name.lower() for name in settings.hosts}:
        return ""
    return f"This app answers to {', '.join(LOCAL_NAMES[:3])}; start it with --allow-host NAME for another name."


def cross_site_fault(environ: Mapping[str, Any], settings: Settings) -> str:
    """Why a request that may change something is refused; empty where the page that sent it is ours.

    Browsers say where a request comes from in `Sec-Fetch-Site` and `Origin`, and no page can forge either. What says
    neither is no browser: it is let through where it brings no cookie.
    """
    if environ.get("REQUEST_METHOD", "GET") in SAFE_METHODS:
        return ""
    site = str(environ.get("HTTP_SEC_FETCH_SITE", "")).lower()
    origin = str(environ.get("HTTP_ORIGIN", "")).lower()
    if site and site != "same-origin":
        return "This request comes from another site."
    if origin:
        hosts = {host(environ)}
        if from_proxy(environ, settings) and environ.get("HTTP_X_FORWARDED_HOST"):
            hosts.add(str(environ["HTTP_X_FORWARDED_HOST"]).split(",")[0].strip().lower())
        try:
            parts = urlsplit(origin)
        except ValueError:
            return "This request comes from another site."
        fine = parts.scheme in ("http", "https") and parts.netloc in hosts
        return "" if fine else "This request comes from another site."
    if not site and not settings.open and environ.get("HTTP_COOKIE"):
        return "This request does not say which page sent it (Origin or Sec-Fetch-Site)."
    return ""
