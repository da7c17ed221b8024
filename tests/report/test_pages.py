import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import escape

from hpi_bt import report
from hpi_bt.report.bidi import readable
from hpi_bt.report.pages import number, percent, render, write_page
from hpi_bt.stats.metrics import performance

TEMPLATES = Path(report.__file__).parent / "templates"


def short(**changes):
    context = {"title": "T", "reason": "R", "parameters": [], "best": 0.5, "worst": 0.5}
    context["metrics"] = performance([0.5])
    return render("tearsheet_short.html.j2", **(context | changes))


def test_banner_demo_and_title_stand_above_the_content():
    page = short(banner=[("Fills", "next open")], demo="made-up prices")
    places = [page.index(x) for x in ("<h1>T", ">DEMO<", "made-up prices", "next open", "<h2>")]
    assert places == sorted(places)
    assert "50.00 %" in page


def test_real_data_show_no_demo_badge():
    assert "DEMO" not in short()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_given_text_is_escaped(text):
    page = short(
        title=text, banner=[(text, text)], demo=text, reason=text, parameters=[("p", text)]
    )
    assert page.count(str(escape(readable(text)))) >= 6
    assert page.count("<script") == 0


def test_a_forgotten_value_is_an_error_not_a_blank():
    with pytest.raises(UndefinedError, match="reason"):
        render("tearsheet_short.html.j2", title="T", parameters=[], metrics=performance([]))


def test_pages_ask_for_nothing_and_forbid_asking():
    page = short()
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?!data:)https?:""", page)


def test_the_licence_tag_stays_in_the_template_and_the_licence_note_in_the_page():
    for template in TEMPLATES.glob("*.j2"):
        assert template.read_text("utf-8").startswith("{# SPDX-License-Identifier: Apache-2.0 #}")
    assert "SPDX" not in short()
    assert "licensed under Apache-2.0" in short()


def test_numbers_are_rounded_and_gaps_are_dashes():
    assert (percent(0.1234), percent(math.nan), percent(-1.0, 0)) == ("12.34 %", "–", "−100 %")
    assert (number(12345.678), number(math.inf), number(2.0, 0)) == ("12,345.68", "–", "2")


def test_a_page_is_written_whole_even_with_half_a_character(tmp_path):
    write_page(tmp_path / "new" / "page.html", "é\ud800\n")
    assert (tmp_path / "new" / "page.html").read_bytes() == "é?\n".encode()
