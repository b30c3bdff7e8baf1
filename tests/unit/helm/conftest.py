"""What the tests of the chart share."""

from __future__ import annotations

import pytest

from tests.unit.helm.rendered_chart import Chart, installed


@pytest.fixture(scope="session")
def chart() -> Chart:
    """The chart, ready to be rendered."""
    return Chart(installed("helm"))
