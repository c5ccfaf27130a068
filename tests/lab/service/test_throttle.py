from __future__ import annotations

from lab.service import throttle
from lab.service.throttle import Throttle
from tests.lab.service.people_app import Clock


def test_whoever_guesses_many_names_from_one_address_waits() -> None:
    clock = Clock()
    guarded = Throttle(clock)
    waits = [guarded.attempt(f"name{n}", "192.0.2.1").wait_s for n in range(30)]
    assert waits[:11] == [0.0] * 11
    assert all(wait > 0.0 for wait in waits[11:])
    assert guarded.attempt("ada", "192.0.2.2").wait_s == 0.0


def test_ones_own_logins_in_between_give_no_free_guesses_at_others() -> None:
    clock = Clock()
    guarded = Throttle(clock)
    free = 0
    for n in range(60):
        guarded.succeeded(guarded.attempt("mallory", "192.0.2.1"))
        free += guarded.attempt(f"name{n}", "192.0.2.1").wait_s == 0.0
    assert free <= 11


def test_many_guesses_at_once_are_counted_before_any_is_judged() -> None:
    guarded = Throttle(Clock())
    assert [guarded.attempt("ada", "192.0.2.1").wait_s > 0.0 for _ in range(10)] == [False] * 4 + [True] * 6


def test_a_network_of_one_customer_is_one_address() -> None:
    guarded = Throttle(Clock())
    for n in range(4):
        guarded.attempt("ada", f"2001:db8::{n}")
    assert guarded.attempt("ada", "2001:db8::ffff").wait_s > 0.0
    assert guarded.attempt("ada", "2001:db8:0:1::1").wait_s == 0.0


def test_after_a_quiet_hour_one_begins_anew() -> None:
    clock = Clock()
    guarded = Throttle(clock)
    for _ in range(4):
        guarded.attempt("ada", "192.0.2.1")
    clock.now_s += 3700.0
    assert [guarded.attempt("ada", "192.0.2.1").wait_s for _ in range(4)] == [0.0] * 4


def test_what_is_remembered_stays_within_bounds() -> None:
    guarded = Throttle(Clock())
    for n in range(throttle._MOST + 500):
        guarded.attempt("n" * 10_000 if n == 0 else f"name{n}", f"10.{n // 65536}.{n // 256 % 256}.{n % 256}")
    assert guarded.size <= 5 * throttle._MOST
