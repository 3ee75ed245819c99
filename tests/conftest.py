"""What all tests share: in CI a skipped test is a failed one."""

import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does.
settings.register_profile("no deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no deadline")

# Each process of the tests may start a cluster of its own, and only the CPU gives the same bits again.
os.environ.setdefault("CNN_WORKERS", "2")
os.environ.setdefault("CNN_DEVICE", "cpu")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr[-1]}"
    return report


@pytest.fixture(scope="module")
def one_thread():
    """Several threads wait for each other where other tests run at the same time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
