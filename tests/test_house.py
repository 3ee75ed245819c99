"""The rules of the house: who may know whom, and what lies where."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cnn_core.plots.theme import DARK, LIGHT

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "cnn_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
UI = sorted((ROOT / "ui").rglob("*.py"))
SECTIONS = {path.parent.name for path in PAGES}
LIGHT_MODULES = (
    "geometry",
    "ops",
    "kernels",
    "images",
    "network",
    "summary",
    "inspection",
    "plots",
    "published",
    "fixes",
    "source",
    "onnx_export",
    "receptive",
    "beside",
    "runs",
    "composition",
    "connections",
    "learning",
    "experiments",
    "signals",
    "shifts",
)


def imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=name)
def test_the_package_knows_neither_streamlit_nor_the_app(path):
    assert not roots(path) & {"streamlit", "ui", "pages", "app"}


@pytest.mark.parametrize("path", CORE, ids=name)
def test_only_plots_import_plotly(path):
    assert "plotly" not in roots(path) or "plots" in path.parts


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_draws_nothing_itself_and_knows_no_other_page(path):
    assert not roots(path) & {"plotly", "pages", "torch"}


def test_pages_lie_in_the_folder_of_their_section():
    assert PAGES
    assert all(path.parent.parent == ROOT / "pages" for path in PAGES)


@pytest.mark.parametrize("path", [*PAGES, *UI], ids=name)
def test_a_section_needs_its_own_part_of_ui_and_what_all_share(path):
    parts = {each.split(".")[1] for each in imports(path) if each.startswith("ui.")}
    own = SECTIONS & {path.parent.name}
    assert parts & SECTIONS <= own


def test_geometry_needs_the_standard_library_only():
    assert roots(ROOT / "cnn_core/geometry.py") <= sys.stdlib_module_names


def test_ops_need_numpy_and_geometry_only():
    outside = roots(ROOT / "cnn_core/ops.py") - set(sys.stdlib_module_names)
    assert outside <= {"numpy", "cnn_core"}


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_a_page_without_a_trained_network_needs_no_torch(module):
    code = f"import sys, cnn_core.{module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert f"cnn_core.{module}" in run.stdout.split()
    assert not {"torch", "onnx", "streamlit", "skimage", "mlxtend", "scipy"} & set(run.stdout.split())


def test_the_explorer_is_three_files_and_less_than_30_kb_of_javascript():
    folder = ROOT / "ui/explorer"
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {"__init__.py", "explorer.js", "explorer.css"}
    assert (folder / "explorer.js").stat().st_size < 30_000


def test_nothing_is_unpickled():
    readers = ("pickle.load", "torch.load", "joblib.load", "allow_pickle=True")
    for path in [*CORE, *PAGES, *UI]:
        assert not [reader for reader in readers if reader in path.read_text()], name(path)


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_native_charts_and_figures_share_the_colours_of_training_and_validation(theme, palette):
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][theme]
    assert config["chartCategoricalColors"][:2] == [palette.training, palette.validation]
    assert config["backgroundColor"] == palette.background
    assert config["textColor"] == palette.text
