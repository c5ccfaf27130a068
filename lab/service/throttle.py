"""Slows down who guesses passwords, and nobody else."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Attempt", "Throttle"]

_MOST = 10_000
"""Names, addresses and pairs of them that are remembered, of each; the oldest are forgotten."""


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class _Rule:
    """From which failure on there is a wait, and how long it gets; it doubles with each failure."""

    free: int
    longest_s: float
    forget_s: float = 3600.0

    def wait_s(self, failures: int) -> float:
        over = failures - self.free
        return 0.0 if over <= 0 else min(self.longest_s, 2.0 ** min(over - 1, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """To log in.

    Args:
        wait_s: until the next one; this one may be made when it is 0.
        pair, name, address: keys under which it counts as a failure until it is known to be none; empty where it doesn't.
    """

    wait_s: float
    pair: str = ""
    name: str = ""
    address: str = ""


class Throttle:
    """Counts failed logins: by name and address together, by name, and by address. Any thread.

    Three rules, the longest wait of which counts:

    * One name from one address: after three failures one second, two, four, up to five minutes.
    * One name from everywhere: after twenty, up to half a minute. Somebody who logged in from an address before does not
      wait for what others try elsewhere.
    * One address: by the *different names* that failed there, after ten, up to half a minute. So whoever mistypes their
      password all day keeps nobody else of the lab waiting. This counts for names that never logged in from there.

    Args:
        clock: in seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._pairs = _Counts(_Rule(free=3, longest_s=300.0))
        self._names = _Counts(_Rule(free=20, longest_s=30.0))
        self._addresses = _Counts(_Rule(free=10, longest_s=30.0))
        self._tried: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def attempt(self, name: str, address: str) -> Attempt:
        """Somebody wants to log in; counts as a failure until :meth:`succeeded`, so that many at once don't slip through."""
        pair, who, where = _keys(name, address)
        with self._turn:
            now = self._clock()
            known = pair in self._known
            waits = [self._pairs.wait_s(pair, now)]
            if not known:
                waits += [self._names.wait_s(who, now), self._addresses.wait_s(where, now)]
            wait_s = max(waits)
            if wait_s > 0.0:
                return Attempt(wait_s=wait_s)
            first = pair not in self._tried
            _remember(self._tried, pair)
            self._pairs.add(pair, now)
            if known:
                return Attempt(wait_s=0.0, pair=pair)
            self._names.add(who, now)
            if first:
                self._addresses.add(where, now)
            return Attempt(wait_s=0.0, pair=pair, name=who, address=where if first else "")

    def succeeded(self, attempt: Attempt) -> None:
        """They did log in."""
        with self._turn:
            self._pairs.clear(attempt.pair)
            self._names.take_back(attempt.name)
            self._addresses.take_back(attempt.address)
            self._tried.pop(attempt.pair, None)
            _remember(self._known, attempt.pair)

    @property
    def size(self) -> int:
        """How much is remembered."""
        with self._turn:
            counts = (self._pairs, self._names, self._addresses)
            return sum(len(one) for one in counts) + len(self._tried) + len(self._known)


class _Counts:
    """Failures by key."""

    def __init__(self, rule: _Rule) -> None:
        self._rule = rule
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def wait_s(self, key: str, now: float) -> float:
        found = self._counts.get(key)
        return 0.0 if found is None else max(0.0, found.until - now)

    def add(self, key: str, now: float) -> None:
        found = self._counts.pop(key, None)
        if found is None or now - found.last > self._rule.forget_s:
            found = _Count()
        found.failures += 1
        found.last = now
        found.until = now + self._rule.wait_s(found.failures)
        self._counts[key] = found
        while len(self._counts) > _MOST:
            self._counts.popitem(last=False)

    def take_back(self, key: str) -> None:
        found = self._counts.get(key)
        if found is not None:
            found.failures = max(0, found.failures - 1)
            found.until = 0.0

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)


def _remember(keys: OrderedDict[str, None], key: str) -> None:
    keys.pop(key, None)
    keys[key] = None
    while len(keys) > _MOST:
        keys.popitem(last=False)


def _keys(name: str, address: str) -> tuple[str, str, str]:
    """Of pair, name and address; of one length, whatever was sent. An IPv6 network of one customer counts as one address."""
    try:
        ip = ipaddress.ip_address(address)
        where = str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else address
    except ValueError:
        where = address
    who = name.strip().lower()
    return tuple(  # type: ignore[return-value]  # three of them
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        for text in (f"{who}\0{where}", who, where)
    )
