from math import exp
from random import Random
from statistics import fmean, median

import pytest

from nanobanana_async.emulator import ByResolution, FailFast, LogNormal, Mixture, Stuck
from nanobanana_async.emulator._service import TYPICAL, Failure, Service, ServiceModel

N = 20_000


def draws(model: ServiceModel, resolution: str = "1K") -> list[float]:
    rng = Random(7)
    return [model.draw(rng, resolution).seconds for _ in range(N)]


def test_lognormal_has_its_median_and_mean() -> None:
    seconds = draws(LogNormal(15.0, 0.6))
    assert median(seconds) == pytest.approx(15.0, rel=0.02)
    assert fmean(seconds) == pytest.approx(15.0 * exp(0.6**2 / 2), rel=0.02)


def test_sigma_0_is_a_constant() -> None:
    assert draws(LogNormal(3.0, 0.0))[:3] == pytest.approx([3.0] * 3)


@pytest.mark.parametrize(("resolution", "middle"), [("1K", 15.0), ("2K", 24.0), ("4K", 40.0)])
def test_the_default_depends_on_the_resolution(resolution: str, middle: float) -> None:
    assert median(draws(TYPICAL, resolution)) == pytest.approx(middle, rel=0.02)


def test_a_mixture_keeps_its_weights() -> None:
    seconds = draws(Mixture([9, 1], [LogNormal(2.0, 0.0), Stuck(600.0)]))
    assert sum(s > 100 for s in seconds) / N == pytest.approx(0.1, abs=0.01)


def test_stuck_and_fail_fast_draw_what_they_say() -> None:
    assert Stuck().draw(Random(0), "4K") == Service(600.0)
    failure = Failure("MODEL_UNAVAILABLE", "Away")
    model = FailFast(0.5, "MODEL_UNAVAILABLE", "Away")
    assert model.draw(Random(0), "4K") == Service(0.5, failure)


def test_wrong_models_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="1K, 2K and 4K"):
        ByResolution({"1K": Stuck()})
    with pytest.raises(ValueError, match="one weight for each model"):
        Mixture([1, 2], [Stuck()])
    with pytest.raises(ValueError, match="above 0"):
        Mixture([0], [Stuck()])
    with pytest.raises(ValueError, match="median"):
        LogNormal(0.0)
