"""A cluster behind TLS, made on loopback with the commands that docs/cluster.md gives a teacher."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import dask
import distributed  # noqa: F401  # its own settings come with it
import psutil
import pytest

from cnn_core.runs.cluster import Cluster
from cnn_core.runs.engines import EngineFailed
from tests.core.running import ROOT, wait_for

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")

APP = """
import sys, time
from cnn_core import runs
from cnn_core.training import Settings

def wait_for(condition):
    while not condition(runs.get(run_id)):
        time.sleep(0.05)

run_id = runs.submit(Settings(network="mlp", num_epochs=1000), owner="A", device="cpu")
wait_for(lambda run: run.is_over or run.steps)
if runs.get(run_id).steps:
    runs.control(run_id, "stop", owner="A")
    wait_for(lambda run: run.is_over)
    print(runs.get(run_id).state, flush=True)
    run_id = runs.submit(Settings(network="flatten-10", num_epochs=1), owner="A", device="cpu")
    wait_for(lambda run: run.is_over)
print(runs.get(run_id).state, runs.get(run_id).error, runs.trouble(), sep="|")
"""


def command(*words):
    """Return the commands in docs/cluster.md that have these words."""
    blocks = re.findall(
        r"(?:^ {4}.*\n)+", (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    (found,) = [block for block in blocks if all(word in block for word in words)]
    return found


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """What runs a command as the document has it, but on this machine alone, at a free port, with few workers.

    All that it finds set is what the document asks for: an environment like an activated `.venv`.
    """
    folder = tmp_path_factory.mktemp("tls")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    (folder / "app.py").write_text(APP)
    here = {
        "//teacher": "//127.0.0.1",
        "--host teacher": "--host 127.0.0.1",
        "8786": port,
        "--nworkers 4": "--nworkers 1",
        "/shared/runs": f"{folder}/runs",
        "/safe": str(folder),
        "make run": f"{sys.executable} - < {folder}/app.py",  # as in the app, modules are found in this folder
    }
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DASK_", "CNN_", "PYTHON"))
    }
    environment["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"

    def start(text, **options):
        for usual, ours in here.items():
            text = text.replace(usual, ours)
        return subprocess.Popen(
            ["bash", "-ec", text], cwd=ROOT, env=environment, start_new_session=True, text=True, **options
        )

    make_keys = f"mkdir -p {folder}; cd {folder}\n" + command("openssl req")
    assert start(make_keys, stderr=subprocess.DEVNULL).wait(60) == 0
    return start


@pytest.fixture(scope="module")
def cluster(teacher, tmp_path_factory):
    """A scheduler and a worker, by their names."""
    log = tmp_path_factory.mktemp("log") / "log"
    with log.open("w") as file:
        processes = {
            name: teacher(command("TLS__CA_FILE") + command(f"dask {name}"), stdout=file, stderr=file)
            for name in ("scheduler", "worker")
        }
        yield processes
        for process in processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in processes.values():
            process.wait(30)


def outcome(app):
    """Return what the app says, a line for each run, when it has come to its end."""
    lines = app.communicate(timeout=240)[0].splitlines()
    assert app.returncode == 0
    return lines


@pytest.mark.timeout(400)
def test_runs_are_trained_and_stopped_on_a_cluster_behind_tls(teacher, cluster):
    app = command("CNN_SCHEDULER=tls://")
    lines = []
    while not lines or "does not answer" in lines[-1] or "has no worker" in lines[-1]:  # it still starts
        lines = outcome(teacher(command("TLS__CA_FILE") + app, stdout=subprocess.PIPE))
    assert lines == ["stopped", "finished||"]
    (line,) = outcome(teacher(app, stdout=subprocess.PIPE))
    state, error, trouble = line.split("|")
    assert (state, trouble) == ("failed", error)
    assert re.search(
        r"the cluster tls://127.0.0.1:\d+ wants a certificate: name your files in .*CA_FILE.*docs/cluster.md",
        error,
    )


def listening(process):
    """Return the addresses and ports at which a process and those that it has started listen."""
    found = set()
    for each in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = each.net_connections(kind="tcp")
            found |= {(*each.laddr,) for each in connections if each.status == psutil.CONN_LISTEN}
    return found


def answer(port, path):
    """Return the status of an answer in plain HTTP; None if there is none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_without_a_certificate_nothing_of_the_cluster_is_told(cluster):
    """The scheduler is told its host, here loopback; the worker is not, and listens everywhere, with TLS alone."""

    def num_ports(name):
        return len({port for _, port in listening(cluster[name])})

    wait_for(lambda: num_ports("scheduler") == 2 and num_ports("worker") == 3)  # one of these is its keeper's
    assert {address for address, _ in listening(cluster["scheduler"])} == {"127.0.0.1"}
    open_ports = {port for address, port in listening(cluster["worker"]) if address != "127.0.0.1"}
    assert len(open_ports) == 1
    ports = {port for process in cluster.values() for _, port in listening(process)}
    paths = ("/info/main/workers.html", "/json/counts.json", "/metrics", "/health", "/status")
    told = {(port, path): answer(port, path) for port in ports for path in paths}
    assert set(told.values()) == {None, 404}
    assert {told[port, path] for port in open_ports for path in paths} == {None}


def test_a_certificate_that_is_not_there_is_named():
    names = {"ca-file": "ca.pem", "client.cert": "cert.pem", "client.key": "key.pem"}
    missing = {f"distributed.comm.tls.{key}": f"/none/{name}" for key, name in names.items()}
    with (
        dask.config.set(missing),
        pytest.raises(
            EngineFailed, match=r"wants a certificate \(.*No such file or directory\): name your files"
        ),
    ):
        Cluster("tls://127.0.0.1:1").start()
