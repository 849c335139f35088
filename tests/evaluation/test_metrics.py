import numpy as np
import pytest

from hkjax.evaluation.metrics import auc, calibration_error, click_metrics, ranking_metrics, weighted_auc


def test_auc_counts_ties_half():
    # Pairs (positive, negative): 3>2, 3>1, 2=2, 2>1.
    assert auc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([1, 1, 0, 0])) == pytest.approx(3.5 / 4)


def test_auc_is_the_share_of_ordered_pairs():
    random = np.random.default_rng(0)
    scores, labels = random.integers(20, size=300) / 7, random.integers(2, size=300)
    difference = scores[labels == 1][:, None] - scores[labels == 0]
    expected = ((difference > 0) + 0.5 * (difference == 0)).mean()
    assert auc(scores, labels) == pytest.approx(expected, rel=1e-12)


def test_auc_of_one_class_or_of_nothing_is_not_a_number():
    assert np.isnan(auc(np.array([1.0, 2.0]), np.array([1, 1])))
    assert np.isnan(auc(np.zeros(0), np.zeros(0)))


def test_weighted_auc_counts_rows_as_often_as_their_weight():
    random = np.random.default_rng(1)
    scores, labels = random.integers(9, size=50).astype(float), random.integers(2, size=50)
    weights = random.integers(4, size=(3, 50))
    repeated = [auc(np.repeat(scores, w), np.repeat(labels, w)) for w in weights]
    np.testing.assert_allclose(weighted_auc(scores, labels, weights.astype(float)), repeated)


def test_click_metrics_by_hand():
    metrics = click_metrics(np.array([2.0, -1.0, 1.0, -3.0]), np.array([1, 1, 0, 0]))
    assert metrics["acc"] == 0.5
    assert metrics["f1"] == pytest.approx(0.5)
    losses = [np.log1p(np.exp(-2)), np.log1p(np.exp(1)), np.log1p(np.exp(1)), np.log1p(np.exp(-3))]
    assert metrics["log_loss"] == pytest.approx(np.mean(losses))


def test_extreme_logits_give_a_finite_loss():
    assert click_metrics(np.array([1e4, -1e4]), np.array([0, 1]))["log_loss"] == pytest.approx(1e4)


def test_calibration_error_is_the_gap_of_prediction_and_frequency():
    logits = np.zeros(10)
    assert calibration_error(logits, np.array([1] * 5 + [0] * 5)) == pytest.approx(0)
    assert calibration_error(logits, np.array([1] * 8 + [0] * 2)) == pytest.approx(0.3)


def test_ranking_metrics_by_hand():
    hits = np.array([[True, False, True], [False, False, False]])
    metrics = ranking_metrics(hits, np.array([2, 5]), (1, 3, 10))
    np.testing.assert_allclose(metrics["precision@3"], [2 / 3, 0])
    np.testing.assert_allclose(metrics["recall@1"], [0.5, 0])
    np.testing.assert_allclose(metrics["recall@3"], [1, 0])
    np.testing.assert_allclose(metrics["hit_rate@1"], [1, 0])
    ideal = 1 + 1 / np.log2(3)
    np.testing.assert_allclose(metrics["ndcg@3"], [(1 + 1 / 2) / ideal, 0])
    # Beyond the depth of the ranking nothing more is found, but precision still divides by K.
    np.testing.assert_allclose(metrics["precision@10"], [0.2, 0])
    np.testing.assert_allclose(metrics["ndcg@10"], metrics["ndcg@3"])
