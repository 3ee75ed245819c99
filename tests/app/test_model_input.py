import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnn_core import data, images
from ui.networks import model_input


def choose(shape, **state) -> tuple[model_input.Picture, AppTest]:
    """Draw the control in an app of its own."""

    def script(shape):
        import streamlit as st

        from ui.networks import model_input

        st.session_state["chosen"] = model_input.choose(shape, key_prefix="a-")

    app = AppTest.from_function(script, args=(shape,), default_timeout=120)
    for key, value in state.items():
        app.session_state[f"a-{key}"] = value
    app.run()
    assert not app.exception
    return app.session_state["chosen"], app


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


def test_the_input_of_lenet_is_a_digit_of_the_test_set_scaled_as_in_training():
    picture, app = choose((1, 28, 28), picture="digit-3")
    digits = data.load("mnist-5k", split="test")
    index = digits.labels.tolist().index(3)
    np.testing.assert_array_equal(picture.x, digits.images[index][None].astype(np.float32) / 255)
    np.testing.assert_array_equal(picture.shown, digits.images[index])
    assert picture.name == "Handwritten 3"
    assert picture.class_names == digits.class_names
    assert captions(app) == f"Test picture {index} of MNIST, 28 x 28 pixels."


@pytest.mark.parametrize(
    "shape",
    [
        (1, 28, 28),
        (1, 32, 20),
        (3, 32, 32),
        (1, 96, 64),
        (3, 300, 224),
        (5, 16, 16),
        (1, 1, 1),
        (2, 128),
        (1, 1),
    ],
)
def test_what_goes_in_has_the_shape_of_the_input(shape):
    picture, _ = choose(shape)
    assert picture.x.shape == shape
    assert picture.x.dtype == np.float32
    assert picture.x.min() >= 0
    assert picture.x.max() <= 1


def test_a_photograph_is_in_colour_on_three_channels_and_its_author_is_named():
    picture, app = choose((3, 40, 40), picture="chelsea")
    assert picture.shown.shape == (40, 40, 3)
    np.testing.assert_array_equal(picture.x * 255, picture.shown.transpose(2, 0, 1))
    assert "Stefan van der Walt, CC0" in captions(app)


def test_a_photograph_is_cut_to_the_proportions_of_the_input_and_not_squeezed():
    picture, _ = choose((1, 128, 64), picture="camera")
    whole = Image.fromarray(images.load("camera", size=None))  # 512 x 512
    middle = whole.crop((128, 0, 384, 512)).resize((64, 128), Image.Resampling.LANCZOS)
    inside = np.s_[:, 4:-4]  # at the cut edges scaling sees the pixels beyond
    np.testing.assert_allclose(picture.shown[inside], np.asarray(middle)[inside], atol=1)


def test_other_numbers_of_channels_get_the_grey_picture_on_each_and_that_is_said():
    picture, app = choose((5, 32, 32))
    assert picture.shown.ndim == 2
    assert all(np.array_equal(channel, picture.x[0]) for channel in picture.x)
    assert "The same grey picture on each of the 5 channels." in captions(app)


def test_a_grey_photograph_fills_three_channels():
    picture, _ = choose((3, 32, 32), picture="camera")
    np.testing.assert_array_equal(picture.x[0], picture.x[2])


def test_a_vector_of_a_square_number_is_a_picture_row_by_row():
    picture, _ = choose((784,), picture="digit-0")
    np.testing.assert_array_equal(picture.x.reshape(28, 28) * 255, picture.shown)


def test_any_other_vector_is_a_signal():
    picture, _ = choose((101,), picture="tones")
    np.testing.assert_array_equal(picture.x, picture.shown)


def test_a_choice_that_the_new_input_does_not_offer_gives_way_to_the_usual_one():
    picture, _ = choose((3, 64, 64), picture="digit-7")
    assert picture.name == "Astronaut Eileen Collins"


@pytest.mark.parametrize(("length", "num_beats"), [(40, 1), (64, 2), (128, 4), (400, 4), (1000, 4)])
def test_each_beat_of_the_heartbeat_has_one_highest_peak(length, num_beats):
    signal = model_input.heartbeat(length)
    assert (signal.min(), signal.max()) == (0, 1)
    lowest = 0.9 if length >= 400 else 0.6  # a few samples a beat may miss its highest place
    is_peak = (signal[1:-1] > signal[:-2]) & (signal[1:-1] >= signal[2:]) & (signal[1:-1] > lowest)
    middles = (np.arange(num_beats) + 0.5) * length / num_beats
    np.testing.assert_allclose(np.flatnonzero(is_peak) + 1, middles, atol=0.05 * length)


def test_the_tones_are_at_3_and_16_periods():
    strength = np.abs(np.fft.rfft(model_input.tones(128)))
    assert sorted(np.argsort(strength[1:])[-2:] + 1) == [3, 16]
