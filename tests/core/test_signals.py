import re
from time import perf_counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from cnn_core.signals import EXAMPLE, KERNELS, SAMPLE_RATE, format, heartbeat, parse, slide, write

NUMBERS = st.floats(-1000, 1000)


def test_the_small_example_is_worked_by_hand():
    # 1 - 2, 0 - 3, 2 - 1, 3 - 0, 1 - 1
    np.testing.assert_array_equal(slide(EXAMPLE, KERNELS["two-apart"].values).y, [-1, -3, 1, 3, 0])


@given(st.lists(NUMBERS, min_size=7, max_size=40), st.lists(NUMBERS, min_size=1, max_size=7))
def test_a_kernel_slides_as_in_pytorch(signal, kernel):
    x, kernel = np.array(signal), np.array(kernel)
    expected = F.conv1d(torch.tensor(x)[None, None], torch.tensor(kernel)[None, None])[0, 0]
    np.testing.assert_allclose(slide(x, kernel).y, expected.numpy(), rtol=1e-9, atol=1e-6)


def test_products_of_a_window_sum_to_its_output():
    slid = slide(heartbeat(60), KERNELS["beat"].values)
    for output, value in enumerate(slid.y):
        assert slid.window(output) == range(output, output + 15)
        assert slid.products(output).sum() == pytest.approx(value)


def test_a_kernel_longer_than_the_signal_is_refused():
    with pytest.raises(ValueError, match=r"^kernel size 8 exceeds signal length 7$"):
        slide(EXAMPLE, np.ones(8))


def test_a_heartbeat_has_a_spike_of_a_millivolt_for_each_beat():
    trace = heartbeat(10 * SAMPLE_RATE, beats_per_minute=90, noise=0, wander=0)
    inner = trace[1:-1]
    peaks = 1 + np.flatnonzero((inner > trace[:-2]) & (inner >= trace[2:]) & (inner > 0.7))
    assert 14 <= len(peaks) <= 16
    assert 0.9 < trace.max() <= 1
    gaps = np.diff(peaks) / SAMPLE_RATE
    assert gaps.mean() == pytest.approx(60 / 90, rel=0.05)
    assert gaps.std() > 0


def test_a_heartbeat_follows_the_equation_of_its_reference():
    # dz/dt = -sum a_i away_i exp(-away_i^2 / 2 b_i^2), at one turn a second, scaled so that R is 1 mV
    trace = heartbeat(80, beats_per_minute=60, noise=0, wander=0)
    first_beat = np.random.default_rng(0).normal(1, 0.03)
    fine = np.linspace(0, 0.79, 79_001)
    angle = 2 * np.pi * fine / first_beat - np.pi
    slope = np.zeros_like(fine)
    waves = {-60: (1.2, 0.25), -15: (-5, 0.1), 0: (30, 0.1), 15: (-7.5, 0.1), 90: (0.75, 0.4)}
    for degrees, (strength, width) in waves.items():
        away = (angle - np.deg2rad(degrees) + np.pi) % (2 * np.pi) - np.pi
        slope -= strength * away * np.exp(-(away**2) / (2 * width**2))
    z = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 2)]) * (angle[1] - angle[0]) / (30 * 0.1**2)
    expected = z[::1000][:80]
    np.testing.assert_allclose(trace - trace[0], expected - expected[0], atol=2e-3)


def test_noise_is_as_strong_as_asked_and_the_seed_decides_it():
    still, noisy = heartbeat(4000, noise=0, seed=3), heartbeat(4000, noise=0.2, seed=3)
    assert (noisy - still).std() == pytest.approx(0.2, rel=0.05)
    np.testing.assert_array_equal(noisy, heartbeat(4000, noise=0.2, seed=3))
    assert (noisy != heartbeat(4000, noise=0.2, seed=4)).any()


def test_the_breath_moves_a_heartbeat_four_seconds_up_and_down():
    moved = heartbeat(400, noise=0, wander=0.3) - heartbeat(400, noise=0, wander=0)
    assert (moved.argmax(), moved.argmin()) == (100, 300)
    assert np.abs(moved).max() == pytest.approx(0.3)


@pytest.mark.parametrize("rate", [40, 72, 180, 300])
def test_beats_last_until_the_end_at_any_rate(rate):
    trace = heartbeat(600, beats_per_minute=rate, noise=0, wander=0)
    assert trace[-int(1.2 * 6000 / rate) :].max() > 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_samples": 0}, "num_samples 0 is below 1"),
        ({"num_samples": 9, "beats_per_minute": 0}, "beats_per_minute 0 is not above 0"),
        ({"num_samples": 9, "noise": -0.1}, "noise -0.1 is below 0"),
        ({"num_samples": 9, "noise": float("nan")}, "noise nan is below 0"),
    ],
)
def test_impossible_heartbeats_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        heartbeat(**settings)


def test_the_kernel_of_a_beat_answers_most_to_beats():
    trace = heartbeat(1000, noise=0.05, seed=1)
    y = slide(trace, KERNELS["beat"].values).y
    spikes = np.flatnonzero(trace > 0.75)
    strongest = np.argsort(y)[-10:] + 7
    assert all(np.abs(spikes - place).min() <= 2 for place in strongest)


def test_kernels_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        KERNELS["bend"].values[0] = 5


@pytest.mark.parametrize(
    ("text", "values"),
    [("1,0,-1", [1, 0, -1]), (" 1/4 , .5,−2. ", [0.25, 0.5, -2]), ("7", [7]), ("+3,1000", [3, 1000])],
)
def test_numbers_are_read_from_their_short_text(text, values):
    np.testing.assert_array_equal(parse(text, name="kernel", most=9), values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,,2", "kernel number (place 1) is empty"),
        ("", "kernel number (place 0) is empty"),
        ("1,x", "kernel number 'x' (place 1) is not a number such as -1, 0.5 or 1/5"),
        ("1/0", "kernel number '1/0' (place 0) is not a number"),
        ("nan", "kernel number 'nan' (place 0) is not a number"),
        ("1e99", "kernel number '1e99' (place 0) is not a number"),
        ("1_0", "kernel number '1_0' (place 0) is not a number"),
        ("--1", "kernel number '--1' (place 0) is not a number"),
        ("٣", "kernel number '٣' (place 0) is not a number"),
        ("<script>alert(1)", "kernel number '<script>aler...' (place 0) is not a number"),
        ("1001", "kernel number 1001 (place 0) is not between -1000 and 1000"),
        ("1,2,3,4", "kernel of 4 numbers exceeds 3"),
        ("1" * 601, "kernel text of 601 characters exceeds 600"),
    ],
)
def test_wrong_texts_are_refused_with_their_place(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(text, name="kernel", most=3)


def test_no_text_takes_long_to_refuse():
    start = perf_counter()
    for text in ("1e999999999", "9" * 590, "1/" + "9" * 500, "9" * 200 + "/" + "7" * 199):
        with pytest.raises(ValueError, match="number"):
            parse(f"{text},x", name="signal", most=9)
    assert perf_counter() - start < 1


def test_a_written_kernel_is_read_again():
    for kernel in KERNELS.values():
        again = parse(format(kernel.values), name="kernel", most=15)
        np.testing.assert_array_equal(again, kernel.values)


@given(NUMBERS)
def test_any_number_that_is_written_is_read_again(number):
    text = format(np.array([number]))
    assert "e" not in text
    if len(text) <= 600:
        assert parse(text, name="signal", most=1) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1 / 15, "1/15"),
        (-2 / 3, "-2/3"),
        (0.2, "0.2"),
        (0.12345678, "0.12345678"),
        (-0.0, "0"),
        (1e3, "1000"),
    ],
)
def test_a_number_is_written_as_a_short_decimal_or_as_a_fraction(number, text):
    assert write(number) == text


def test_products_that_cancel_but_for_rounding_give_zero_and_small_outputs_stay():
    x, kernel = np.array([0.1, 0.2, 0.3, 1e-9]), np.array([1.0, 1, -1])
    assert 0.1 + 0.2 - 0.3 != 0
    np.testing.assert_array_equal(slide(x, kernel).y, [0, 0.5 - 1e-9])
    np.testing.assert_array_equal(slide(np.array([1e-20]), np.array([1e-20])).y, [1e-40])
