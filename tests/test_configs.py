"""Every shipped config runs, on less data than it asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpi_bt import run
from hpi_bt.config import Config, read_mapping, validated

ROOT = Path(__file__).resolve().parents[1] / "configs"
EVERY = sorted(ROOT.rglob("*.yaml"))
DEMO = [path for path in EVERY if path.parent == ROOT]
REAL = [path for path in EVERY if path.parent == ROOT / "real"]
SHORT = {"spx_pressure_cloud": 3}  # sessions there are, where they are few
IDLE = {"spx_pressure_cloud"}  # the index was in the zone from the first snapshot on, or above it
SPANS = {
    "crude_herrick": ("2010-01-01", "2010-12-31"),
    "gauge_spy": ("1998-05-01", "1999-02-26"),
    "gauge_spy_vix": ("1998-05-01", "1999-02-26"),
    "gold_herrick": ("2010-01-01", "2010-12-31"),
    "nifty_gamma": ("2026-01-06", "2026-02-05"),
    "nifty_hpi": ("2026-01-06", "2026-02-05"),
    "reliance_gamma": ("2026-01-06", "2026-01-19"),
    "reliance_hpi": ("2026-01-06", "2026-01-19"),
    "spx_pressure_cloud": ("2026-08-18", "2026-08-20"),
    "spy_options_herrick": ("2026-05-26", "2026-08-17"),
}


@pytest.fixture(autouse=True)
def short_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The long tear sheet has tests of its own and takes longer than a run."""
    monkeypatch.setattr("hpi_bt.report.tearsheet.MIN_SESSIONS", 100_000)


def test_the_schema_beside_the_configs_is_the_one_that_is_printed() -> None:
    kept = json.loads((ROOT / "schema.json").read_text("utf-8"))
    assert kept == Config.model_json_schema(by_alias=True), (
        "hpi-bt config schema > configs/schema.json"
    )


@pytest.mark.parametrize("path", EVERY, ids=lambda p: p.stem)
def test_a_config_names_its_schema_to_editors(path: Path) -> None:
    first, second = path.read_text("utf-8").splitlines()[:2]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "schema.json"
    assert second.startswith("# ")  # what `hpi-bt list` shows


def test_the_schema_accepts_every_config_and_refuses_what_the_model_refuses() -> None:
    jsonschema: Any = pytest.importorskip("jsonschema", reason="pip install jsonschema")
    schema = json.loads((ROOT / "schema.json").read_text("utf-8"))
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    kind.check_schema(schema)
    validator = kind(schema)
    for path in EVERY:
        validator.validate(json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str)))
    good = json.loads(json.dumps(read_mapping(ROOT / "demo.yaml"), default=str))
    for bad in (
        good | {"brokr": {}},
        {k: v for k, v in good.items() if k != "data"},
        good | {"broker": {"cash": -1}},
        good | {"data": {"source": {"kind": "cvs"}}},
        good | {"benchmark": "spy"},
    ):
        assert not validator.is_valid(bad)


@pytest.mark.parametrize("path", EVERY, ids=lambda p: p.stem)
def test_a_config_is_valid_and_its_strategy_takes_its_parameters(path: Path) -> None:
    config = validated(read_mapping(path), path.name)
    assert config.name == path.stem.replace("_", "-")
    real = config.data.source.kind != "demo"
    assert real == (path in REAL)


@pytest.mark.parametrize("path", DEMO, ids=lambda p: p.stem)
def test_a_demo_config_runs_and_says_demo(path: Path, tmp_path: Path) -> None:
    daily = read_mapping(path)["data"]["source"].get("bar") == "1day"
    sessions = f"data.source.sessions={120 if daily else 9}"
    result = run(path, overrides=[sessions], results=tmp_path, cache_dir=tmp_path / "cache")
    assert result.summary["sessions"] == (120 if daily else 9)
    assert result.summary["demo"]
    assert result.summary["trades"] > 0


@pytest.mark.real_data
@pytest.mark.parametrize("path", REAL, ids=lambda p: p.stem)
def test_a_real_config_runs_and_never_says_demo(
    path: Path, real_data: Path, tmp_path: Path
) -> None:
    start, end = SPANS[path.stem]
    span = [f"data.start={start}", f"data.end={end}"]
    result = run(
        path, overrides=span, data_dir=real_data, results=tmp_path, cache_dir=tmp_path / "cache"
    )
    assert result.summary["first"][:10] >= start
    assert result.summary["last"][:10] <= end
    assert result.summary["sessions"] >= SHORT.get(path.stem, 9)
    assert result.summary["demo"] == ""
    assert (result.summary["trades"] > 0) == (path.stem not in IDLE)
    assert "DEMO" not in (result.folder / "tearsheet.html").read_text("utf-8")
