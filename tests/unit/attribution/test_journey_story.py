"""The journey that the documentation tells: merge, late touch, refund, split, erasure, by the functions of the job."""

from __future__ import annotations

from bench.journey_story import BEGIN, END, steps, tables
from bench.reference_tables import PAGE


def linear(credit):
    return dict(
        zip(
            (channel for _, channel, _, _ in credit["touches"]),
            credit["models"]["linear"]["credited_micros"],
            strict=True,
        )
    )


def test_each_step_credits_whose_touches_count_then():
    told = [credit for _, credit in steps()]
    assert told[-1] is None
    assert [(credit["value_micros"], linear(credit)) for credit in told[:-1]] == [
        (100_000_001, {"search": 50_000_001, "email": 50_000_000}),
        (100_000_001, {"video": 25_000_001, "social": 25_000_000, "search": 25_000_000, "email": 25_000_000}),
        (100_000_001, {"video": 20_000_001} | dict.fromkeys(("social", "search", "display", "email"), 20_000_000)),
        (70_000_001, {"video": 14_000_001} | dict.fromkeys(("social", "search", "display", "email"), 14_000_000)),
        (70_000_001, {"search": 35_000_001, "email": 35_000_000}),
        (70_000_001, {"video": 14_000_001} | dict.fromkeys(("social", "search", "display", "email"), 14_000_000)),
        (70_000_001, {"search": 35_000_001, "email": 35_000_000}),
    ]


def test_the_documentation_has_the_tables_of_now():
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert rest.partition(END)[0].strip() == tables().strip()
