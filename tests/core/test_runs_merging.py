"""What a slow training tells is bounded, and the means stay those of the steps."""

import itertools
import json
from dataclasses import replace

import pytest

from cnn_core import training
from cnn_core.runs import folders, merging, reading, worker
from cnn_core.runs.merging import Merger
from cnn_core.training import EpochEnded, StepLogged, loop
from cnn_core.training.events import to_json
from cnn_core.training.recipes import RECIPES
from tests.core.running import SMALL

pytestmark = pytest.mark.usefixtures("one_thread")
# 3,600 pictures: 28 steps of 128 and one of 16 in each of the epochs.
UNEVEN = replace(SMALL, num_epochs=3, batch_size=128)


def slow(settings, *, seconds, last=None):
    """Tell of each step by itself; each takes so many seconds."""
    names, num_train, steps_per_epoch = settings.layers.names, settings.num_train, settings.steps_per_epoch
    for step in range(1, (last or settings.num_steps) + 1):
        place = (step - 1) % steps_per_epoch
        size = min(settings.batch_size, num_train - place * settings.batch_size)
        yield StepLogged(
            step=step,
            epoch=(step - 1) // steps_per_epoch + 1,
            loss=1 / step,
            accuracy=0.5,
            examples_per_second=size / seconds,
            learning_rate=0.1 / step,
            gradient_norms={name: 1 / (7 * step) for name in names},
        )


def lines_of(settings, records):
    """Write records down as a worker does."""
    merger, lines = Merger(settings, step=0, num_lines=0), []
    for record in records:
        lines += merger.add(record)
        if record.step % settings.steps_per_epoch == 0:
            lines += merger.flush()
    return [*lines, *merger.flush()]


@pytest.mark.parametrize("seconds", [0.05, 0.25, 3.0])
def test_a_slow_training_of_100_epochs_takes_less_than_5_mb(seconds):
    settings = replace(RECIPES["good"].settings, num_epochs=100, batch_size=512)
    lines = lines_of(settings, slow(settings, seconds=seconds))
    assert len(lines) <= 2 * merging.MAX_LINES + settings.num_epochs
    assert sum(len(to_json(line)) + 1 for line in lines) < 4_500_000
    assert lines[-1].step == settings.num_steps


def test_a_slow_training_has_a_line_each_second_and_the_first_at_once():
    settings = replace(RECIPES["good"].settings, num_epochs=100)
    lines = lines_of(settings, slow(settings, seconds=0.25, last=241))
    assert [line.step for line in lines] == [1, *range(5, 242, 4)]
    assert [line.step for line in lines_of(settings, slow(settings, seconds=2.0, last=30))] == [*range(1, 31)]


def test_a_quick_training_tells_what_it_told():
    records = [event for event in training.train(SMALL, device="cpu") if isinstance(event, StepLogged)]
    assert lines_of(SMALL, records) == records


def test_a_line_has_the_means_over_the_pictures_and_the_last_learning_rate():
    first, second, third = [*slow(UNEVEN, seconds=0.5, last=29)][-3:]
    line = merging.merge([first, second, replace(third, accuracy=0.25)], UNEVEN, begin=26)
    assert line.loss == pytest.approx((128 / 27 + 128 / 28 + 16 / 29) / 272)
    assert line.accuracy == pytest.approx((256 * 0.5 + 16 * 0.25) / 272)
    assert line.examples_per_second == pytest.approx(272 / 1.5)
    assert (line.step, line.learning_rate) == (29, third.learning_rate)
    assert line.gradient_norms == third.gradient_norms


def test_a_run_whose_every_step_is_told_has_few_lines_with_the_same_means(tmp_path, monkeypatch):
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr(loop, "MAX_LOG_SECONDS", 0.0)
    monkeypatch.setattr(merging, "MAX_LINES", 10)
    run_id = folders.create(UNEVEN, owner="A", device="cpu")
    assert worker.execute(tmp_path / run_id, 0) == ""
    run = reading.read(run_id)
    told = list(training.train(UNEVEN, device="cpu"))
    steps = {event.step: event for event in told if isinstance(event, StepLogged)}
    assert len(steps) == UNEVEN.num_steps
    assert len(run.steps) <= 2 * 10 + UNEVEN.num_epochs
    before = 0
    for line in run.steps:
        sizes = {step: 16 if step % 29 == 0 else 128 for step in range(before + 1, line.step + 1)}
        loss = sum(size * steps[step].loss for step, size in sizes.items()) / sum(sizes.values())
        assert line.loss == pytest.approx(loss, rel=1e-12)
        assert line.gradient_norms == steps[line.step].gradient_norms
        before = line.step
    assert [end.train_loss for end in run.epochs] == pytest.approx(
        [event.train_loss for event in told if isinstance(event, EpochEnded)]
    )
    assert [end.step for end in run.epochs] == [29, 58, 87]
    assert {29, 58, 87} <= {line.step for line in run.steps}


def test_a_checkpoint_never_stands_before_its_line(tmp_path, monkeypatch):
    """Else a resumed run would miss the steps between."""
    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr(loop, "MAX_LOG_SECONDS", 0.0)
    monkeypatch.setattr(merging, "MAX_LINES", 3)
    settings = replace(UNEVEN, num_epochs=1)
    run_id = folders.create(settings, owner="A", device="cpu")
    folder = tmp_path / run_id
    for number_of_looks in (5, 9):
        is_wanted = iter([True] * number_of_looks)
        assert worker.execute(folder, 0, lambda looks=is_wanted: next(looks, False)) == ""
        progress = training.checkpoints.load(folder / "checkpoint").progress
        assert reading.read(run_id).step == progress["step"] > 0
    folders.change_wish(folder, want="pause", step=20)
    monkeypatch.setattr(worker, "HOLD_SECONDS", 0.0)
    worker.execute(folder, 0)
    assert (reading.read(run_id).state, reading.read(run_id).step) == ("paused", 20)
    folders.change_wish(folder, want="run")
    worker.execute(folder, 0)
    run = reading.read(run_id)
    whole = [event for event in training.train(settings, device="cpu") if isinstance(event, EpochEnded)]
    assert run.epochs[0].train_loss == pytest.approx(whole[0].train_loss, rel=1e-12)
    ends = [0, *(line.step for line in run.steps)]
    sizes = [16 + 128 * (b - a - 1) if b == 29 else 128 * (b - a) for a, b in itertools.pairwise(ends)]
    mean = sum(size * line.loss for size, line in zip(sizes, run.steps, strict=True)) / sum(sizes)
    assert mean == pytest.approx(whole[0].train_loss, rel=1e-12)
    kinds = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert kinds.index("Paused") > kinds.index("StepLogged")
