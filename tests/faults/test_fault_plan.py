"""The same seed gives the same faults; every kind comes once before any comes twice."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.faults.kinds import KINDS, plan


def test_a_seed_fixes_the_order_and_all_that_is_random_in_an_injection(seed: int) -> None:
    one, other = (list(islice(plan(seed), 70)) for _ in range(2))
    assert one == other
    assert [injection.random.random() for injection in one] == [injection.random.random() for injection in other]
    # Two injections of one kind are not the same.
    assert len({injection.random.random() for injection in one}) == len(one)


def test_seeds_differ() -> None:
    orders = {tuple(injection.kind for injection in islice(plan(seed), len(KINDS))) for seed in range(5)}
    assert len(orders) == 5


def test_every_kind_comes_once_before_any_comes_twice(seed: int) -> None:
    kinds = [injection.kind for injection in islice(plan(seed), 2 * len(KINDS))]
    assert sorted(kinds[: len(KINDS)]) == sorted(KINDS)
    assert sorted(kinds[len(KINDS) :]) == sorted(KINDS)


def test_chosen_kinds_only(seed: int) -> None:
    kinds = {injection.kind for injection in islice(plan(seed, ("redis_flushed", "late")), 10)}
    assert kinds == {"redis_flushed", "late"}


@pytest.mark.parametrize("kinds", [("no_such_fault",), ()])
def test_an_unknown_kind_is_refused_with_those_that_are_known(kinds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="taskmanager_killed"):
        plan(1, kinds)
