"""Figures of a drained backlog."""

import pytest

from bench.drain import Sample, figures


def test_the_sample_in_which_the_backlog_ended_does_not_count():
    samples = [
        Sample(0.0, 1_000, 10.0),
        Sample(10.0, 151_000, 28.0),
        Sample(20.0, 321_000, 46.0),
        Sample(30.0, 321_500, 47),
    ]
    assert figures(samples) == {
        "seconds": 20.0,
        "events": 320_000,
        "events_a_second": 16_000,
        "slowest_sample": 15_000,
        "fastest_sample": 17_000,
        "cpu_micros_an_event": 112.5,
    }


def test_a_backlog_that_was_gone_at_once_gives_no_figures():
    with pytest.raises(ValueError, match="--events"):
        figures([Sample(0.0, 0, 0.0), Sample(10.0, 10, 1.0)])
