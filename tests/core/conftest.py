import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Several threads wait for each other where other tests run at the same time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
