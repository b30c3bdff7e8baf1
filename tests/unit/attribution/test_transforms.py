"""Path transforms: their definitions on the example of the source, and what every one keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.attribution import transforms
from udfs.attribution.transforms import Transform, transformed

ALL: list[Transform] = [
    transforms.identity,
    transforms.exposure,
    transforms.first,
    transforms.frequency,
    transforms.remove_direct_if_not_all,
    transforms.remove_direct_if_last_and_not_all,
    transforms.trim(3),
]
D = "direct"


@pytest.mark.parametrize(
    ("transform", "path", "expected"),
    [
        (transforms.identity, "DABBCDCC", "0D 1A 2B 3B 4C 5D 6C 7C"),
        (transforms.exposure, "DABBCDCC", "0D 1A 2B 4C 5D 6C"),
        (transforms.first, "DABBCDCC", "0D 1A 2B 4C"),
        (transforms.frequency, "DABBCDCC", "0D(2) 1A(1) 2B(2) 4C(3)"),
        (transforms.trim(3), "DABBCDCC", "5D 6C 7C"),
        (transforms.trim(9), "DAB", "0D 1A 2B"),
        (transforms.trim(1), "", ""),
    ],
)
def test_definitions(transform: Transform, path: str, expected: str) -> None:
    assert " ".join(f"{index}{channel}" for index, channel in transform(list(path))) == expected


@pytest.mark.parametrize(
    ("transform", "path", "kept"),
    [
        (transforms.remove_direct_if_not_all, [D, "a", D, "b", D], [1, 3]),
        (transforms.remove_direct_if_not_all, [D, D], [0, 1]),
        (transforms.remove_direct_if_last_and_not_all, [D, "a", D, "b", D, D], [0, 1, 2, 3]),
        (transforms.remove_direct_if_last_and_not_all, [D, "a"], [0, 1]),
        (transforms.remove_direct_if_last_and_not_all, [D, D], [0, 1]),
        (transforms.remove_direct_if_last_and_not_all, [], []),
    ],
)
def test_direct_touches(transform: Transform, path: list[str], kept: list[int]) -> None:
    assert [index for index, _ in transform(path)] == kept


@given(st.lists(st.sampled_from(["a", "b", "a(1)", D]), max_size=20), st.lists(st.sampled_from(ALL), max_size=4))
def test_any_chain_keeps_touches_in_order_and_never_empties_a_path(path: list[str], chain: list[Transform]) -> None:
    touches = transformed(path, chain)
    positions = [index for index, _ in touches]
    assert positions == sorted(set(positions))
    assert bool(touches) == bool(path)
    for index, name in touches:
        for _ in range(chain.count(transforms.frequency)):
            name = transforms.channel_of(name)  # noqa: PLW2901 - one suffix at a time
        assert name == path[index]


def test_a_chain_is_applied_in_its_order() -> None:
    path = ["a", D, "a", "b", D]
    assert transformed(path, [transforms.remove_direct_if_not_all, transforms.exposure]) == [(0, "a"), (3, "b")]
    assert transformed(path, [transforms.exposure, transforms.remove_direct_if_not_all]) == [
        (0, "a"),
        (2, "a"),
        (3, "b"),
    ]


def test_a_trim_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="longest is 0; allowed: 1 or more"):
        transforms.trim(0)
