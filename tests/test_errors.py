"""Notes and refusals as fields."""

from __future__ import annotations

import copy
import pickle

from hpi_bt.errors import InputError, Note, Severity, diagnostics

NOTE = Note(Severity.WARNING, "no-volume", "3 fills on bars without volume", "gold.csv")


def test_a_note_reads_as_its_line_and_keeps_its_fields() -> None:
    assert NOTE == "warning: gold.csv: 3 fills on bars without volume"
    assert Note(Severity.INFO, "rows", "12 rows read") == "12 rows read"
    for other in (pickle.loads(pickle.dumps(NOTE)), copy.deepcopy(NOTE)):
        assert (other, other.as_dict()) == (NOTE, NOTE.as_dict())
    assert Note.from_dict(NOTE.as_dict()).as_dict() == NOTE.as_dict()


def test_diagnostics_are_the_notes_that_have_fields_the_weightiest_first() -> None:
    plain = Note(Severity.INFO, "rows", "12 rows read")
    assert diagnostics([plain, "words alone", NOTE]) == [NOTE.as_dict(), plain.as_dict()]


def test_a_refusal_is_one_line_made_of_its_fields() -> None:
    error = InputError("row 2 is 'x'", where="a.csv", field="high", remedy="fix the file")
    assert str(error) == "a.csv: high: row 2 is 'x'; fix the file"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.as_dict()) == (str(error), error.as_dict())
    assert error.as_dict()["field"] == "high"
