"""What a trained model is called."""

from types import SimpleNamespace

from jobs.train_attribution import version_of
from udfs.attribution.training import Kind


def test_models_trained_in_one_second_are_two_versions():
    hazard = SimpleNamespace(kind=Kind.HAZARD, order=0)
    assert version_of(hazard, 1_700_000_000_007) == "hazard-20231114T221320.007"
    assert version_of(hazard, 1_700_000_000_007) != version_of(hazard, 1_700_000_000_008)
    assert version_of(SimpleNamespace(kind=Kind.MARKOV, order=2), 0) == "markov2-19700101T000000.000"
