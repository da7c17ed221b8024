"""What README shows can be copied and run."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_python_example_runs_and_so_does_its_filtered_twin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, *_ = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    for chosen in ("Mine", "Filtered"):
        text = code.replace("addstrategy(Mine)", f"addstrategy({chosen})")
        exec(compile(text, "README.md", "exec"), {"__name__": "__main__"})
        assert "<Result mine: DEMO" in capsys.readouterr().out
    assert len(list((tmp_path / "results").glob("*/"))) == 2


@pytest.mark.parametrize("name", re.findall(r"configs/\S+?\.yaml", README.read_text("utf-8")))
def test_every_config_it_names_is_there(name):
    assert (README.parent / name).is_file()
