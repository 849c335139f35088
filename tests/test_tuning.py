"""The search for settings: what it reads, where it ends, and what stays of it in a work directory."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.dataset import join_validation
from hkjax.data.synthetic import SyntheticConfig
from hkjax.evaluation.search import search, validation_value
from hkjax.experiment import Experiment, read_data
from hkjax.models.linear.config import EASEConfig, ItemKNNConfig
from hkjax.models.linear.memory import remember_last
from hkjax.models.linear.neighbours import item_knn
from hkjax.models.link.config import LINKConfig
from hkjax.runs import evaluate_workdir, load_workdir, train_experiment
from hkjax.training.loop import TrainingConfig
from hkjax.tuning.auto import choose_model, shuffle_tails
from hkjax.tuning.rivals import fit_rivals
from hkjax.tuning.settings import tune, with_settings


def build(data):
    return lambda settings: item_knn(dataclasses.replace(ItemKNNConfig(), **settings), data)


def test_a_search_ends_at_the_best_of_its_steps(tiny_data):
    space = {"shrinkage": (0.0, 3.0, 30.0), "alpha": (0.3, 0.5, 0.7)}
    best, trials = search(build(tiny_data), {"shrinkage": 30.0, "alpha": 0.7}, space, tiny_data, seconds=60)
    assert best.value == max(trial.value for trial in trials)
    assert trials[0].settings == {"shrinkage": 30.0, "alpha": 0.7}
    assert len({tuple(trial.settings.values()) for trial in trials}) == len(trials)
    exact = validation_value(build(tiny_data)(best.settings), tiny_data, seed=0)
    assert exact == best.value


def test_without_a_budget_only_the_start_is_tried(tiny_data):
    best, trials = search(build(tiny_data), {"shrinkage": 30.0}, {"shrinkage": (0.0, 30.0)}, tiny_data, seconds=0)
    assert trials == [best]


def test_a_search_does_not_read_the_test_part(tiny_data):
    one = tune(ItemKNNConfig(), tiny_data, 2.0)
    other = dataclasses.replace(tiny_data, test=tiny_data.test.select(slice(0, 1)))
    assert [t.value for t in tune(ItemKNNConfig(), other, 2.0).trials][:5] == [t.value for t in one.trials][:5]


def test_entries_of_mappings_are_settings():
    config = with_settings(LINKConfig(content={"a": 0.1}), {"content.b": 0.2, "alpha": 0.3})
    assert config == LINKConfig(content={"a": 0.1, "b": 0.2}, alpha=0.3)


def test_memory_keeps_the_last_results():
    counted, remember = [], remember_last(2)
    for key in (1, 2, 1, 3, 1, 2):
        assert remember(key, lambda key=key: counted.append(key) or key) == key
    assert counted == [1, 2, 3, 2]


def experiment(**training):
    return Experiment(
        data=DataConfig(split="per_user"),
        synthetic=SyntheticConfig(n_users=60, n_items=30),
        model=LINKConfig(search=1.0, neighbours=20),
        training=TrainingConfig(monitor="recall@20", **training),
        evaluation=dataclasses.replace(Experiment().evaluation, tuning=0.5),
        mesh=(1, 1),
    )


def test_a_run_keeps_what_its_search_chose_and_resumes_with_it(tmp_path, capsys):
    train_experiment(experiment(), tmp_path)
    assert "searching settings on the validation part" in capsys.readouterr().out
    chosen = load_workdir(tmp_path).experiment.model
    records = train_experiment(experiment(), tmp_path)
    assert len(records) == 1
    assert "searching" not in capsys.readouterr().out
    assert load_workdir(tmp_path).experiment.model == chosen
    report = evaluate_workdir(tmp_path)
    assert report["verdict"].startswith("LINK ")
    assert {"popularity", "item_knn", "ease"} <= set(report["baselines"])
    assert report["commands"]["item_knn"].startswith("--model=item_knn")
    assert all(len(d) == 3 for of in report["differences"].values() for d in of.values())


def test_refitting_trains_on_the_validation_part_too(tmp_path):
    train_experiment(experiment(refit=True), tmp_path)
    trained = load_workdir(tmp_path)
    whole = read_data(experiment())
    assert trained.data.train.users.size == whole.train.users.size + whole.validation.users.size
    assert not trained.data.validation.users.size
    degree = jnp.bincount(trained.data.train.positives().items, length=whole.n_items)
    assert trained.recommender.inputs["history"].values.size == degree.sum()
    assert evaluate_workdir(tmp_path)["test"]["recall@20"] > 0


def test_rivals_leave_the_model_itself_out(tiny_data):
    assert "ease" not in fit_rivals(tiny_data, 0, 0, own="ease")
    found = fit_rivals(join_validation(tiny_data), 0.2, 0)
    assert found["item_knn"].command.startswith("--model=item_knn")


@pytest.mark.parametrize("config", [EASEConfig(), EASEConfig(candidates=5)])
def test_every_linear_model_can_be_tuned(config, tiny_data):
    assert tune(config, tiny_data, 0.5).value > 0


def test_a_model_is_chosen_among_those_in_closed_form(tiny_data):
    told = []
    choice = choose_model(tiny_data, 0.1, tell=told.append)
    assert [candidate.title for candidate in told] == [candidate.title for candidate in choice.candidates]
    assert choice.tuned.value == max(candidate.value for candidate in choice.candidates)
    assert {"LINK", "ItemKNN", "EASE", "EDLAE", "iALS", "RP3beta", "SLIM"} == {c.title for c in choice.candidates}
    assert (choice.shuffled is None) == (not getattr(choice.tuned.config, "content", {}))


def test_shuffled_tails_keep_the_counts_of_a_graph(tiny_data):
    shuffled = shuffle_tails(tiny_data, seed=0).triples
    for column in (0, 1):
        # Where two triples became equal, one is left.
        assert set(shuffled[:, column]) == set(tiny_data.triples[:, column])
    for relation in range(tiny_data.n_relations):
        before, after = (x[x[:, 1] == relation, 2] for x in (tiny_data.triples, shuffled))
        assert set(after) == set(before)
    assert not np.array_equal(shuffled, tiny_data.triples)
