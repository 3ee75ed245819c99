import numpy as np
import pytest

from cnn_core import examples


def test_counting_gives_the_book_its_input_and_kernels():
    x, weight = examples.counting(2, 3, input_size=3, kernel_size=2)
    assert x.tolist() == [[[[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]
    assert weight[0].tolist() == [[[0, 1], [2, 3]], [[1, 2], [3, 4]]]
    assert (weight[1] == weight[0] + 1).all()
    assert (weight[2] == weight[0] + 2).all()


@pytest.mark.parametrize("counts", [(1, 1), (4, 2), (2, 4)])
def test_examples_have_the_shapes_of_a_layer(counts):
    sizes = {"input_size": 5, "kernel_size": 3}
    for x, weight in (examples.counting(*counts, **sizes), examples.drawn(*counts, **sizes, seed=1)):
        assert x.shape == (1, counts[0], 5, 5)
        assert weight.shape == (counts[1], counts[0], 3, 3)


def test_a_seed_gives_the_same_numbers_again_and_another_seed_others():
    first, again, other = (examples.drawn(2, 2, input_size=6, kernel_size=3, seed=seed) for seed in (7, 7, 8))
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != different).any()


def test_drawn_numbers_stay_in_their_ranges():
    x, weight = examples.drawn(4, 4, input_size=20, kernel_size=9, seed=0)
    assert set(np.unique(x)) == set(range(10))
    assert set(np.unique(weight)) == {-2, -1, 0, 1, 2}
