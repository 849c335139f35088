from hkjax.data.config import DataConfig
from hkjax.data.synthetic import SyntheticConfig
from hkjax.evaluation.evaluate import EvaluationConfig
from hkjax.experiment import Experiment
from hkjax.models.hakg.config import HAKGConfig
from hkjax.runs import evaluate_workdir, train_experiment
from hkjax.training.loop import TrainingConfig


def test_hakg_draws_its_hierarchy(tmp_path):
    experiment = Experiment(
        data=DataConfig(split="per_user"),
        synthetic=SyntheticConfig(n_users=60, n_items=40),
        model=HAKGConfig(dim=2, layers=1, negatives=5),
        training=TrainingConfig(batch_size=64, epochs=1, monitor="recall@20"),
        evaluation=EvaluationConfig(tuning=0.0),
        mesh=(1, 1),
    )
    train_experiment(experiment, tmp_path)
    report = evaluate_workdir(tmp_path)
    assert 0 <= report["test"]["recall@20"] <= 1
    for name in ("training", "top_k", "distance", "disk"):
        assert (tmp_path / f"plots/{name}.png").stat().st_size > 10_000
        assert f"plots/{name}.png" in (tmp_path / "report.md").read_text()
