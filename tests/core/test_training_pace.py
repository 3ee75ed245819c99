import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.training import EpochEnded, Settings, StepLogged, pace, train
from cnn_core.training.pace import PARTS, Stopwatch

ARITHMETIC = {"pictures": 0.1, "forward": 0.2, "backward": 0.4, "update": 0.1}
ON_THE_PROCESSOR = [part for part in PARTS if part != "waiting"]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5).filter(any))
def test_percentages_add_up_and_are_off_by_less_than_one(values):
    seconds = dict(enumerate(values))
    shares = pace.percentages(seconds)
    assert sum(shares.values()) == 100
    assert all(abs(shares[part] - 100 * value / sum(values)) < 1 + 1e-9 for part, value in seconds.items())


def test_laps_fill_the_time_without_a_gap():
    watch = Stopwatch()
    for part in PARTS:
        watch.lap(part)
    assert list(watch.seconds) == list(PARTS)
    assert all(value >= 0 for value in watch.seconds.values())
    assert watch.total == sum(watch.seconds.values()) > 0


@pytest.mark.parametrize(
    ("device", "more", "sentence"),
    [
        ("cpu", {}, "The processor is the limit, most of all in the backward pass."),
        (
            "cuda",
            {"waiting": 0.01},
            "The program hardly waits for the GPU. So its orders are probably the limit",
        ),
        ("cuda", {"waiting": 2.0}, "The arithmetic of the GPU is the limit."),
        ("cuda", {"waiting": 0.01, "metrics": 2.0}, "The program hardly waits for the GPU."),
    ],
)
def test_what_limits_a_training_depends_on_how_long_it_waits(device, more, sentence):
    assert pace.limit(ARITHMETIC | more, device=device).startswith(sentence)


def test_the_parts_of_an_epoch_are_its_time():
    settings = Settings(network="conv2k5-relu-flatten-10", num_epochs=2, train_fraction=0.1)
    events = list(train(settings, device="cpu"))
    for epoch in (event for event in events if isinstance(event, EpochEnded)):
        assert list(epoch.seconds_by_part) == ON_THE_PROCESSOR
        assert sum(epoch.seconds_by_part.values()) == pytest.approx(epoch.seconds)
        steps = [event for event in events if isinstance(event, StepLogged) and event.epoch == epoch.epoch]
        assert 0 < epoch.seconds_by_part["backward"] < epoch.seconds
        assert steps[-1].step == epoch.step
