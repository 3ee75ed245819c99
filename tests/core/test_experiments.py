import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_core import experiments, modules
from cnn_core.__main__ import main
from cnn_core.experiments import (
    EXPERIMENTS,
    LENET,
    MLP,
    NETWORKS,
    PERMUTATION,
    SIZES,
    Experiment,
    Results,
    Trial,
    definitions,
    fewer,
    summaries,
)
from cnn_core.runs.compare import differing
from cnn_core.training import EpochEnded, Failed, Finished, Settings, Started, checkpoints
from cnn_core.training.settings import find_network

ROOT = Path(__file__).parents[2]
STARTED = Started(
    device="cpu",
    num_threads=1,
    versions={"torch": "2.0"},
    num_train=3600,
    num_validation=400,
    num_params=7,
    steps_per_epoch=57,
    data_sha256="abc",
)
EPOCH = EpochEnded(
    epoch=1,
    step=57,
    train_loss=2.0,
    train_accuracy=0.25,
    validation_loss=1.5,
    validation_accuracy=0.5,
    examples_per_second=3000.0,
    seconds=1.25,
)
RESULT = Finished(test_loss=1.0, test_accuracy=0.75, confusion=((1,),), predictions=(0,))
TINY = Settings(network="flatten-10", num_epochs=1, batch_size=400)


@pytest.fixture(autouse=True)
def usual_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def outcome(trial, *, test=None, curve=(0.5,)):
    epochs = [replace(EPOCH, epoch=1 + index, validation_accuracy=each) for index, each in enumerate(curve)]
    end = [] if test is None else [replace(RESULT, test_accuracy=test)]
    return experiments.of_events(trial, [STARTED, *epochs, *end], created=0)


# What is trained


def count_with_torch(network):
    model = modules.build(find_network(network), (1, 28, 28), seed=0)
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_networks_have_as_nearly_as_many_parameters_as_whole_hidden_units_allow():
    lenet, mlp = (count_with_torch(NETWORKS[name]) for name in (LENET, MLP))
    assert (lenet, mlp) == (61706, 62020)
    units = int(NETWORKS[MLP].split("-")[1])
    for other in (units - 1, units + 1):
        assert abs(count_with_torch(f"flatten-{other}-relu-10") - lenet) > abs(mlp - lenet)


@pytest.mark.parametrize("network", NETWORKS.values())
def test_parameters_are_counted_as_torch_counts_them(network):
    assert experiments.num_params(find_network(network)) == count_with_torch(network)


@pytest.mark.parametrize("target", [1, 900, 20_000, 61_706])
def test_no_other_width_comes_nearer_to_the_target(target):
    sizes = {width: 785 * width + 10 * (width + 1) for width in range(1, 200)}
    found = experiments.hidden_units(target, num_inputs=784, num_outputs=10)
    assert abs(sizes[found] - target) == min(abs(size - target) for size in sizes.values())


def test_the_permutation_experiment_crosses_two_networks_with_two_ways():
    settings = [trial.settings for trial in PERMUTATION.trials]
    assert differing(settings) == ["network", "permuted"]
    crossed = {(experiments.network_name(each), each.permuted) for each in settings}
    assert crossed == {(LENET, False), (LENET, True), (MLP, False), (MLP, True)}


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_with_fewer_pictures_each_training_makes_the_same_steps(num_seeds):
    settings = [trial.settings for trial in fewer(num_seeds).trials]
    assert len(settings) == 2 * 6 * num_seeds
    assert {each.num_train for each in settings} == set(SIZES)
    assert {each.num_steps * each.batch_size for each in settings} == {18000}
    assert all(each.num_train % each.batch_size == 0 for each in settings)  # no step with less
    assert {each.seed for each in settings} == set(range(num_seeds))
    varied = {"network", "num_epochs", "train_fraction", "seed"}
    assert set(differing(settings)) == (varied if num_seeds > 1 else varied - {"seed"})


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=lambda each: each.name)
def test_each_training_has_a_label_and_settings_of_its_own(experiment):
    assert len({trial.label for trial in experiment.trials}) == len(experiment.trials)
    assert len({trial.settings for trial in experiment.trials}) == len(experiment.trials)


def test_torch_stays_out_until_something_is_trained():
    code = "import sys, cnn_core.experiments; cnn_core.experiments.shipped('fewer'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"torch", "distributed", "streamlit", "plotly"} & set(run.stdout.split())


# What came of it


def test_an_outcome_sums_up_what_a_training_has_told():
    trial = PERMUTATION.trials[0]
    done = experiments.of_events(trial, [STARTED, EPOCH, replace(EPOCH, epoch=2), RESULT], created=86400)
    assert (done.date, done.seconds) == ("1970-01-02T00:00:00+00:00", 2.5)
    assert (done.validation_accuracies, done.test_accuracy) == ((0.5, 0.5), 0.75)
    begun = experiments.of_events(trial, [STARTED], created=0)
    assert (begun.validation_accuracies, begun.test_accuracy, begun.test_loss) == ((), None, None)


def test_results_come_back_from_json_as_they_were():
    first, second = PERMUTATION.trials[:2]
    results = Results(name="permutation", outcomes=(outcome(first, test=0.75), outcome(second)))
    assert Results.from_json(results.to_json()) == results


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"name": "fewer", "outcomes": [{"settings": {"seed": -1}}]}', '{"outcomes": [1]}'],
)
def test_a_text_that_holds_no_results_is_refused(text):
    with pytest.raises(ValueError, match="is not the results of an experiment"):
        Results.from_json(text)


def test_an_unknown_experiment_is_refused_by_its_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'fewer'"):
        experiments.shipped("fewerr")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_shipped_results_are_those_of_the_experiment_as_it_is_now(name):
    shipped = experiments.shipped(name)
    assert shipped.name == name
    known = [Trial(each.label, each.settings) for each in shipped.outcomes]
    assert known == list(EXPERIMENTS[name].trials)
    for each in shipped.outcomes:
        assert len(each.validation_accuracies) == each.settings.num_epochs
        assert each.num_params == experiments.num_params(each.settings.layers)
        assert (each.device, each.num_threads) == ("cpu", 1)
        assert set(each.versions) == {"python", "torch", "numpy"}
        counts = np.array([*each.validation_accuracies, each.test_accuracy]) * (
            [400] * each.settings.num_epochs + [1000]
        )
        np.testing.assert_allclose(counts, counts.round(), atol=1e-9)


def test_the_permutation_experiment_was_done_within_a_minute():
    assert sum(each.seconds for each in experiments.shipped("permutation").outcomes) < 60


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_shipped_results_can_be_made_again(name, one_thread):
    """Another processor rounds otherwise; on the same one the accuracies are equal."""
    kept = next(
        each for each in experiments.shipped(name).outcomes[::-1] if each.settings.network == NETWORKS[MLP]
    )
    made = experiments.train(Trial(kept.label, kept.settings))
    assert (made.data_sha256, made.num_threads) == (kept.data_sha256, kept.num_threads)
    assert made.test_accuracy == pytest.approx(kept.test_accuracy, abs=0.02)


def test_a_training_that_diverges_is_named(monkeypatch):
    monkeypatch.setattr(
        "cnn_core.training.train", lambda *_, **__: iter([STARTED, Failed(message="too fast")])
    )
    with pytest.raises(ValueError, match=r"^A: too fast$"):
        experiments.train(Trial("A", TINY))


# The terminal


@pytest.fixture
def tiny(monkeypatch):
    trials = tuple(Trial(f"seed {seed}", replace(TINY, seed=seed)) for seed in (0, 1))
    monkeypatch.setattr(definitions, "EXPERIMENTS", {"tiny": Experiment("tiny", trials)})
    return trials


def test_the_terminal_trains_an_experiment_and_keeps_what_came_of_it(tiny, tmp_path, capsys):
    path = tmp_path / "results.json"
    assert main(["experiment", "tiny", "--threads", "1", "--save", str(path)]) == 0
    results = Results.from_json(path.read_text())
    assert [each.label for each in results.outcomes] == ["seed 0", "seed 1"]
    assert all(each.num_threads == 1 and each.test_accuracy > 0.5 for each in results.outcomes)
    assert f"written to {path}" in capsys.readouterr().out
    assert len(json.loads(path.read_text())["outcomes"]) == 2


def test_the_terminal_prints_what_came_of_it_and_writes_nothing_unasked(tiny, monkeypatch, capsys):
    def refuse(*_):
        raise AssertionError("written")

    monkeypatch.setattr(checkpoints, "replace_file", refuse)
    assert main(["experiment", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["seed 0", "seed 1"]
    assert all(re.fullmatch(r"seed .: test accuracy 0\.\d{4}, \d+\.\d s", line) for line in lines)


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("seed 1: it has diverged"), 1), (KeyboardInterrupt(), 130)]
)
def test_what_was_done_before_the_end_is_kept(tiny, tmp_path, monkeypatch, error, status):
    path = tmp_path / "new" / "results.json"
    train = experiments.train

    def interrupted(trial):
        if trial.label == "seed 1":
            raise error
        return train(trial)

    monkeypatch.setattr(experiments, "train", interrupted)
    assert main(["experiment", "tiny", "--save", str(path)]) == status
    assert [each.label for each in Results.from_json(path.read_text()).outcomes] == ["seed 0"]
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


@pytest.mark.parametrize("place", ["file/results.json", "."])
def test_a_place_that_cannot_be_written_is_refused_before_the_first_training(
    tiny, tmp_path, monkeypatch, capsys, place
):
    def refuse(_):
        raise AssertionError("trained")

    monkeypatch.setattr(experiments, "train", refuse)
    (tmp_path / "file").write_text("")
    assert main(["experiment", "tiny", "--save", str(tmp_path / place)]) == 2
    error = capsys.readouterr().err
    assert "cannot be written (" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["tinny"], "unknown experiment 'tinny': did you mean 'tiny'?"),
        (["tiny", "--save", "x", "--threads", "0"], "threads 0 must be at least 1"),
    ],
)
def test_the_terminal_refuses_what_it_cannot_do(tiny, capsys, options, message):
    assert main(["experiment", *options]) == 2
    assert message in capsys.readouterr().err


# What it amounts to


def test_levels_put_the_seeds_of_a_size_together_and_leave_out_what_is_not_finished():
    trials = fewer(3).trials
    reached = {(LENET, 50, 0): 0.5, (LENET, 50, 2): 0.75, (MLP, 3600, 1): 0.25}

    def of(trial):
        key = (experiments.network_name(trial.settings), trial.settings.num_train, trial.settings.seed)
        return outcome(trial, test=reached.get(key))

    found = summaries.levels(map(of, trials))
    assert [(each.network, each.size, each.accuracies) for each in found] == [
        (LENET, 50, (0.5, 0.75)),
        (MLP, 3600, (0.25,)),
    ]
    assert found[0].mean == 0.625


def test_a_loss_needs_both_ways():
    plain_lenet, plain_mlp, permuted_lenet, permuted_mlp = PERMUTATION.trials
    outcomes = [
        outcome(plain_lenet, test=0.75),
        outcome(permuted_lenet, test=0.5),
        outcome(plain_mlp, test=0.25),
    ]
    assert summaries.lost_points(outcomes) == {LENET: (0.75, 0.5)}
    both = [*outcomes, outcome(permuted_mlp, test=0.5)]
    assert summaries.lost_points(both) == {LENET: (0.75, 0.5), MLP: (0.25, 0.5)}


def test_the_standard_error_is_the_spread_of_many_counts():
    counts = np.random.default_rng(0).binomial(1000, 0.9, size=200_000) / 1000
    assert summaries.standard_error(0.9, 1000) == pytest.approx(counts.std(), rel=0.01)
