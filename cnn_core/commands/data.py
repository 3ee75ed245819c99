"""The command ``data``: list the data sets, or fetch one."""

import argparse
import math

from tqdm import tqdm

from cnn_core import data
from cnn_core.commands.shared import print_table
from cnn_core.data import DATASETS
from cnn_core.shapes import format_shape


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of ``data``, and below it that of ``data fetch``."""
    data_sets = commands.add_parser(
        "data",
        usage="%(prog)s [-h] [fetch NAME]",
        help="list the data sets, or fetch one",
        description="List the data sets, which of them are here, and their licences; with fetch, download one.",
    )
    data_sets.set_defaults(command=_execute_list)
    fetch = data_sets.add_subparsers(prog=data_sets.prog, metavar="fetch").add_parser(
        "fetch", help="download a data set"
    )
    fetch.set_defaults(command=_execute_fetch)
    fetch.add_argument("name", help=", ".join(DATASETS))


def _execute_list(options: argparse.Namespace) -> int:
    here = data.available()
    lines = [("name", "here", "train", "test", "picture", "download", "licence")]
    lines += [
        (
            spec.name,
            "yes" if spec.name in here else "no",
            f"{spec.num_train:,}",
            f"{spec.num_test:,}",
            format_shape(spec.image_shape),
            f"{math.ceil(spec.num_bytes / 1e6)} MB" if spec.num_bytes else "bundled",
            spec.licence,
        )
        for spec in DATASETS.values()
    ]
    print_table(lines)
    return 0


def _execute_fetch(options: argparse.Namespace) -> int:
    show_fetch(options.name)
    print(f"{options.name} is here")
    return 0


def show_fetch(name: str) -> None:
    """Download a data set with a progress bar."""
    num_bytes = data.find_spec(name).num_bytes
    # With the delay no bar stands above an error that comes at once.
    with tqdm(total=num_bytes, unit="B", unit_scale=True, desc=name, delay=0.1) as bar:
        for progress in data.fetch(name):
            bar.update(progress.bytes_done - bar.n)
