import numpy as np

from hkjax.data.dataset import Interactions
from hkjax.evaluation.breakdown import diversity_metrics, recall_by_history, recall_by_popularity
from hkjax.evaluation.verdict import paired_difference, verdict


def test_diversity_of_two_users():
    found = diversity_metrics(np.array([[0, 1, 9], [0, 2, 9]]), np.array([4, 2, 2, 0]), k=2)
    assert found["coverage@2"] == 3 / 4
    # Shares 1/2, 1/4, 1/2, 1/4 of all positives: 1, 2, 1 and 2 bits.
    assert found["novelty@2"] == 1.5
    # Counts 0, 1, 1, 2: the sum of (2 i - n - 1) x_i is -0 - 1 + 1 + 6 = 6, by n times the sum 4.
    np.testing.assert_allclose(found["gini@2"], 6 / 16)


def test_all_alike_has_gini_zero():
    assert diversity_metrics(np.array([[0, 1], [2, 3]]), np.ones(4), k=2)["gini@2"] == 0


def test_recall_by_groups():
    relevant = Interactions(np.array([3, 3, 8]), np.array([0, 1, 2]), np.ones(3, int))
    top = np.array([[0, 2], [2, 1]])
    found = recall_by_popularity(np.array([3, 8]), top, relevant, np.array([7, 0, 30]), k=1)
    assert found == {"0": [1, 0.0], "5-19": [1, 1.0], "20-99": [1, 1.0]}
    assert recall_by_history(np.array([4, 5, 200]), np.array([1, 0, 0.5])) == {
        "0-4": [1, 1.0],
        "5-9": [1, 0.0],
        "50+": [1, 0.5],
    }


def report(recall, ndcg=0.2, difference=0.0, **rivals):
    """A report with rivals of equal NDCG, and one difference to all of them, known to 0.01."""
    titles = {"hakg": "HAKG", "ease": "EASE", "item_knn": "ItemKNN", "popularity": "popularity"}
    around = [difference, difference - 0.01, difference + 0.01]
    return {
        "model": "hakg",
        "titles": titles,
        "test": {"recall@20": recall, "ndcg@20": ndcg},
        "baselines": {name: {"recall@20": x, "ndcg@20": 0.2} for name, x in rivals.items()},
        "commands": {"ease": "--model=ease"},
        "differences": {name: {"recall@20": around, "ndcg@20": [0.0, -0.01, 0.01]} for name in rivals},
    }


def test_verdicts():
    def of(*args, **rivals):
        return verdict(report(*args, **rivals), 20)

    below = of(0.3, difference=-0.1, ease=0.4, popularity=0.1)
    assert below.startswith(
        "HAKG 0.3000 is below EASE 0.4000 in recall@20, and about equal to it in ndcg@20 (recall@20"
    )
    assert "recall@20 -0.1000, 95 % interval -0.1100 to -0.0900" in below
    assert below.endswith("EASE is the better choice here, which `hkjax train --model=ease` trains.")
    assert "is about equal to ItemKNN 0.3050" in of(0.3, difference=-0.005, item_knn=0.305, popularity=0.1)
    assert "is above popularity 0.2000 in recall@20" in of(0.3, difference=0.1, popularity=0.2)
    assert "is below popularity 0.3100" in of(0.3, ease=0.4, popularity=0.31)
    advised = verdict(report(0.3, popularity=0.31), 20, "Draw negatives.")
    assert advised.endswith("Train longer, or with another learning rate. Draw negatives.")
    assert of(0.3) == "HAKG reaches recall@20 0.3000."


def test_differences_are_paired():
    other = np.random.default_rng(0).random(400)
    found = paired_difference(other + 0.01, other, samples=100, seed=0)
    np.testing.assert_allclose(found, 0.01)
    unpaired = paired_difference(np.random.default_rng(1).permutation(other), other, samples=100, seed=0)
    assert unpaired.low < 0 < unpaired.high
    np.testing.assert_allclose(unpaired.mean, 0, atol=1e-12)
