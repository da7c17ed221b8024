"""Notes and refusals as fields."""

from __future__ import annotations

import copy
import pickle

from hpi_bt.errors import (
    InputError,
    Note,
    Severity,
    Wording,
    as_key,
    diagnostics,
    in_words,
    restored,
    stored,
)

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


def test_settings_of_a_text_are_spelled_as_the_place_does_where_it_is_shown() -> None:
    note = Note(Severity.INFO, "late", "quotes are late; give `as_of` or `timezone=Asia/Tokyo`")
    assert note == "quotes are late; give as_of or timezone='Asia/Tokyo'"
    shown = in_words(note, Wording(as_key))
    assert shown == "quotes are late; give as_of or timezone: Asia/Tokyo"
    assert (shown.code, pickle.loads(pickle.dumps(note)).in_words(Wording(as_key))) == (
        "late",
        shown,
    )
    assert in_words("plain `as_of`", Wording(as_key)) == "plain `as_of`"
    columns = InputError("percent", where="a.csv", remedy="give `columns=iv_pct:IV`")
    assert str(columns) == "a.csv: percent; give columns={'iv_pct': 'IV'}"
    assert str(columns.in_words(Wording(as_key))) == "a.csv: percent; give columns: {iv_pct: IV}"


def test_a_field_without_a_file_is_a_setting_and_one_of_a_file_is_not() -> None:
    option = Wording(lambda name, value: f"--{name} {value}".rstrip())
    assert str(InputError("-1", field="spot").in_words(option)) == "--spot: -1"
    assert str(InputError("-1", where="spot", field="spot").in_words(option)) == "spot: spot: -1"
    assert str(InputError("-1", field="spot").within("f.csv")) == "f.csv: spot: -1"
    assert InputError("-1", where="a.csv").within("f.csv").where == "a.csv"


def test_a_remedy_that_a_place_does_not_have_gives_way_to_another() -> None:
    place = Wording(as_key, {"as_of": "add a column `ts`"})
    error = InputError("no moment", where="a.csv", remedy="give `spot` and `as_of`")
    assert str(error.in_words(place)) == "a.csv: no moment; add a column ts"


def test_notes_lie_in_json_by_their_fields() -> None:
    notes = [NOTE, "words alone"]
    assert [type(n) for n in restored(stored(notes))] == [Note, str]
    assert restored(stored(notes)) == notes
