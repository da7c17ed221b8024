"""Fingerprints: the same for the same, another for anything else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.sources.fingerprints import code_fingerprint, fingerprint_of

values = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(), max_size=4
)


def test_worked_example(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("one")
    (tmp_path / "c").write_text("two")
    a, b, c = (tmp_path / name for name in "abc")
    found = fingerprint_of({"x": 1}, [a])
    assert len(found) == 16
    assert fingerprint_of({"x": 1}, [b]) == found  # contents count, names do not
    assert fingerprint_of({"x": 1}, [c]) != found
    assert fingerprint_of({"x": 2}, [a]) != found
    assert fingerprint_of({"x": 1}) != found
    assert fingerprint_of({}, [a, c]) != fingerprint_of({}, [c, a])


@settings(max_examples=50, deadline=None)
@given(values, values)
def test_settings_count_in_any_order(one, other):
    turned = dict(reversed(list(one.items())))
    assert fingerprint_of(one) == fingerprint_of(turned)
    assert (fingerprint_of(one) == fingerprint_of(other)) == (
        {k: repr(v) for k, v in one.items()} == {k: repr(v) for k, v in other.items()}
    )


def test_the_code_counts_by_its_own_files():
    found = code_fingerprint("options/*.py")
    assert code_fingerprint("options/*.py") == found
    assert code_fingerprint("options/*.py", "sources/chain*.py") != found
    assert code_fingerprint("options/nothing_*.py") != found
