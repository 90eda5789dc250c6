"""Measures beside the classes, against linear programs, simulations and cases made by hand."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from emoviz.data.dataset import Dataset, Record
from emoviz.labels import MIKELS8, SENTIMENT2, bridge_between
from emoviz.training.measures_beside import (
    circular_emd,
    describe_dimensions,
    half_width,
    measure_beside,
)
from emoviz.training.recipe import NetworkPart
from emoviz.training.targets import division

NETWORK = NetworkPart(kinds=("photograph", "painting"), dimensions=("valence", "division"))


def test_circular_distance_is_the_cheapest_transport() -> None:
    rng = np.random.default_rng(0)
    for size in (3, 5, 8):
        one, other = rng.dirichlet(np.ones(size), 2)
        pairs = list(itertools.product(range(size), repeat=2))
        cost = [min((i - j) % size, (j - i) % size) for i, j in pairs]
        leaves = [[float(i == k) for i, _ in pairs] for k in range(size)]
        comes = [[float(j == k) for _, j in pairs] for k in range(size)]
        best = linprog(cost, A_eq=leaves + comes, b_eq=[*one, *other])
        assert circular_emd(one[None], other[None])[0] == pytest.approx(best.fun, abs=1e-7)


def test_nine_in_ten_new_images_lie_in_the_interval() -> None:
    rng = np.random.default_rng(1)
    held = [
        np.mean(abs(rng.standard_t(3, 400)) <= half_width(abs(rng.standard_t(3, 60))))
        for _ in range(400)
    ]
    assert 0.89 < np.mean(held) < 0.925


def test_dimensions_are_described_by_kind() -> None:
    rng = np.random.default_rng(2)
    kinds = np.repeat([0, 1], 200)
    truth = np.full((400, 2), np.nan)
    truth[:, 0] = rng.uniform(-1, 1, 400)
    given = np.zeros((400, 2))
    given[:, 0] = truth[:, 0] + rng.normal(size=400) * np.where(kinds == 0, 0.1, 0.4)
    told = describe_dimensions(given, truth, kinds, NETWORK)
    assert set(told) == {"valence"}  # nobody said how divided viewers are
    assert told["valence"]["n"] == 400
    assert told["valence"]["r"] == pytest.approx(
        np.corrcoef(given[:, 0], truth[:, 0])[0, 1], abs=1e-4
    )
    widths = told["valence"]["half_width_by_kind"]
    assert 0.1 < widths["photograph"] < told["valence"]["half_width"] < widths["painting"]


def test_votes_and_sentiments_are_measured() -> None:
    bridge = bridge_between(MIKELS8, MIKELS8)
    votes = np.tile([0.5, 0, 0.25, 0, 0, 0, 0, 0.25], (40, 1))
    p = votes.copy()
    nothing = np.full((40, 2), np.nan)
    found = measure_beside(nothing, nothing, votes, p, bridge, NETWORK)
    assert found == {"votes_kl": 0.0, "votes_emd": 0.0}  # one sentiment alone has no AUC
    p = np.full((40, 8), 1 / 8)
    found = measure_beside(nothing, nothing, votes, p, bridge, NETWORK)
    assert found["votes_kl"] == pytest.approx(np.log(8) - 1.0397, abs=1e-3)
    assert found["votes_emd"] > 0.5
    labels = np.eye(2)[[0, 1] * 20]
    p = np.zeros((40, 8))
    p[:, 0], p[:, 5] = np.linspace(1, 0, 40), np.linspace(0, 1, 40)
    found = measure_beside(
        nothing, nothing, labels, p, bridge_between(MIKELS8, SENTIMENT2), NETWORK
    )
    wins = [(p[i, 0] > p[j, 0]) for i in range(0, 40, 2) for j in range(1, 40, 2)]
    assert found == {"sentiment_auc": pytest.approx(np.mean(wins), abs=1e-4)}


def test_entropies_of_predicted_and_given_votes_are_correlated() -> None:
    bridge = bridge_between(MIKELS8, MIKELS8)
    nothing = np.full((60, 2), np.nan)
    rng = np.random.default_rng(0)
    votes = rng.dirichlet(np.full(8, 0.4), 60)
    p = rng.dirichlet(np.full(8, 0.4), 60)

    def entropy(rows: np.ndarray) -> np.ndarray:
        return -np.array([sum(x * np.log(x) for x in row if x > 0) for row in rows])

    found = measure_beside(nothing, nothing, votes, p, bridge, NETWORK)
    wanted = np.corrcoef(entropy(votes), entropy(p))[0, 1]
    assert found["votes_entropy_r"] == pytest.approx(wanted, abs=1e-3)
    turned = measure_beside(nothing, nothing, votes, votes[:, ::-1], bridge, NETWORK)
    assert turned["votes_entropy_r"] == pytest.approx(1)  # which answers does not matter


def test_division_is_the_entropy_of_the_votes() -> None:
    def of(*rows: tuple[float, ...], votes: bool = True) -> list[float]:
        from pathlib import Path

        records = tuple(Record("a", Path("a"), -1, (*row, *[0.0] * 6), "a") for row in rows)
        return division(Dataset("s", MIKELS8, records, votes=votes))

    one, two, outside = of((1.0, 0.0), (0.5, 0.5), (0.5, 0.0))
    assert one == pytest.approx(0, abs=1e-9)
    assert two == pytest.approx(np.log(2) / np.log(9))
    assert outside == pytest.approx(two)  # half said something else
    assert np.isnan(of((1.0, 0.0), votes=False)).all()
    assert np.isnan(of((1.0, 0.5), (1.0, 0.0))).all()  # several answers: no distribution
