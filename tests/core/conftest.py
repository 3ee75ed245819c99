from types import SimpleNamespace

import pytest


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The door to the runs with a fake engine behind it."""
    from cnn_core import runs
    from cnn_core.runs.service import Service
    from tests.core.fake_engine import FakeEngine

    monkeypatch.setenv("CNN_RUNS_DIR", str(tmp_path / "runs"))
    engine = FakeEngine()
    service = Service(lambda: engine)
    monkeypatch.setattr(runs, "_SERVICE", service)
    yield engine
    service.shut_down()


@pytest.fixture
def clock(monkeypatch):
    """The clock that the service sees, in a list of one number."""
    from cnn_core.runs import forecast, service

    now = [0.0]
    for module in (forecast, service):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now
