"""What ships with the package, from a checkout and from a wheel."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hpi_bt.catalog import finished_runs, new_config, shipped_configs, shipped_strategies
from hpi_bt.config import read_mapping
from hpi_bt.errors import InputError
from hpi_bt.frames import read_config
from hpi_bt.loading import load_strategy, shipped
from small_runs import demo_run, listing

ROOT = Path(__file__).resolve().parents[1]


def test_every_shipped_config_is_listed_with_what_it_is_about() -> None:
    names = [name for name, _ in shipped_configs()]
    assert "configs/demo.yaml" in names
    assert "configs/real/crude_herrick.yaml" in names
    assert len(names) == len(list((ROOT / "configs").rglob("*.yaml")))
    assert all(len(about) > 20 and "$schema" not in about for _, about in shipped_configs())


def test_every_shipped_strategy_is_listed_and_loads() -> None:
    listed = dict(shipped_strategies())
    assert "strategies/flow_bias.py:FlowBias" in listed
    assert "strategies/gamma_bias.py:PlainHedgePressure" not in listed  # an indicator
    for reference, about in listed.items():
        assert about.endswith(".")
        assert load_strategy(reference, []).__name__ == reference.rpartition(":")[2]


@pytest.mark.parametrize("template", ["demo", "configs/demo.yaml", "real/crude_herrick"])
def test_a_new_config_and_its_strategy_are_copies_that_hang_together(
    tmp_path: Path, template: str
) -> None:
    config, strategy = new_config(tmp_path / "deep" / "mine.yaml", template)
    assert listing(tmp_path) == ["deep", f"deep/{strategy.name}", "deep/mine.yaml"]
    reference = read_config(config, [])[0].strategy.reference
    assert reference.startswith(f"{strategy.name}:")
    found = load_strategy(reference, [config.parent])
    assert sys.modules[found.__module__].__file__ == str(strategy)
    first = config.read_text("utf-8").splitlines()[0]
    assert Path(first.partition("$schema=")[2]).is_file()


@pytest.mark.parametrize("there", ["mine.yaml", "flow_bias.py"])
def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(InputError, match=f"{there}: is there already; give another name"):
        new_config(tmp_path / "mine.yaml", "demo")
    assert listing(tmp_path) == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"template: no such shipped config as \'dmo\' \(did you mean 'de"
    ):
        new_config(Path("absent.yaml"), "dmo")


def test_a_half_written_config_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        new_config(tmp_path / "file" / "mine.yaml", "demo")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        new_config(tmp_path / "mine.yaml", "demo")
    assert listing(tmp_path) == ["file"]


def test_finished_runs_are_listed_and_other_folders_passed_over(tmp_path: Path) -> None:
    results = demo_run().folder.parent
    (row,) = finished_runs(results)
    assert row[0] == str(demo_run().folder)
    assert row[1].startswith("DEMO, return ")
    for name, text in (("a", "no json"), ("b", "{}"), ("c", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(text)
    (tmp_path / ".partial-1-x").mkdir()
    assert finished_runs(tmp_path) == []
    assert finished_runs(tmp_path / "absent") == []


def test_a_checkout_ships_what_lies_beside_the_package() -> None:
    assert shipped("configs") == ROOT / "configs"
    assert read_mapping(shipped("configs") / "demo.yaml")["name"] == "demo"


@pytest.mark.slow
def test_the_wheel_holds_strategies_configs_templates_and_types(tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed; pip install hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        packed.extractall(tmp_path / "installed")
    wanted = {
        "hpi_bt/py.typed",
        "hpi_bt/report/templates/base.html.j2",
        "hpi_bt/report/templates/LICENSE",
        *(f"hpi_bt/_shipped/strategies/{p.name}" for p in (ROOT / "strategies").glob("*.py")),
        *(f"hpi_bt/_shipped/{p.relative_to(ROOT)}" for p in (ROOT / "configs").rglob("*.yaml")),
        "hpi_bt/_shipped/configs/schema.json",
        *(str(p.relative_to(ROOT)) for p in (ROOT / "hpi_bt").rglob("*.py")),
    }
    assert wanted <= names
    assert not [n for n in names if n.endswith((".nbc", ".nbi", ".pyc"))]
    code = (
        "import hpi_bt, hpi_bt.loading as l, hpi_bt.catalog as c; from pathlib import Path\n"
        "assert l.shipped('configs').parent.name == '_shipped', l.shipped('configs')\n"
        "c.new_config(Path('mine.yaml'), 'demo')\n"
        "short = ['data.source.sessions=4', 'data.source.bar=60min',"
        " 'strategy.params={scale: contracts, zscore_lookback: 5, smoothing: 2}']\n"
        "print(hpi_bt.run('mine.yaml', overrides=short))"
    )
    installed = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"}
    run = [sys.executable, "-c", code]
    ran = subprocess.run(
        run, cwd=tmp_path, env=installed, stdout=subprocess.PIPE, text=True, check=True
    )
    assert ran.stdout.startswith("<Result demo: DEMO, return ")
