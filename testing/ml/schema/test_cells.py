"""Every line of the table in ML/schema/cells.py: which kind is learned from text, and what a cell means."""

import math

import pytest

from ML.schema import cells


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2.50", -2.5),
        ("+.5", 0.5),
        ("1.", 1),
        ("1e5", 1e5),
        ("1E-3", 0.001),
        (" 7 ", 7),
        ("007", 7),
        ("-0", 0),
    ],
)
def test_decimal_text_is_a_number(text, value):
    assert cells.number(text) == value


@pytest.mark.parametrize("text", ["", " ", "NA", "na", "NaN", "nan", "null", "NULL", "None", "-", " NA "])
def test_each_spelling_of_a_gap_is_missing_in_a_number_column(text):
    assert math.isnan(cells.number(text))


@pytest.mark.parametrize("text", ["1e999", "-1e999", "inf", "-inf", "Infinity", "+nan", "-nan"])
def test_an_infinite_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a finite number"):
        cells.number(text)


@pytest.mark.parametrize(
    "text", ["1_0", "1_000.5", "١٢", "\uff11\uff12", "0x1f", "1,5", "1 000", "12%", "$5", "abc", "true", "--", "1-"]
)
def test_numbers_that_are_not_plain_decimals_are_refused(text):
    with pytest.raises(ValueError, match="is not a finite number"):
        cells.number(text)


@pytest.mark.parametrize("text", ["1.5\u00a0", "\u00a01.5", "\u30001.5", "\t1.5\r"])
def test_whitespace_of_any_script_around_a_number_is_ignored(text):
    """Numbers copied from web pages contain non-breaking spaces. They are learned and converted as numbers."""
    assert cells.learn([text, "2"]) == ("number", ())
    assert cells.number(text) == 1.5


def test_a_long_cell_is_shown_shortened():
    with pytest.raises(ValueError, match=r"^'x{57}\.\.\.' is not a finite number$"):
        cells.number("x" * 5000)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1970-01-01", 0),
        ("1969-12-31", -1),
        ("2024-01-01", 19723),
        (" 2024-01-01 ", 19723),
        ("1970-01-02T12:00:00", 1.5),
        ("1970-01-02 12:00", 1.5),
        ("1970-01-02T12:00:00Z", 1.5),
        ("1970-01-02T14:00:00+02:00", 1.5),
        ("1970-01-02T09:30-02:30", 1.5),
        ("1970-01-01T00:00:00.500", 0.5 / 86400),
        ("0001-01-01T00:00+14:00", -719162 - 14 / 24),
        ("9999-12-31T23:59:59-14:00", 2932896 + 86399 / 86400 + 14 / 24),
    ],
)
def test_a_date_is_days_since_1970_and_without_an_offset_it_is_utc(text, days):
    assert cells.date(text) == pytest.approx(days, abs=1e-9)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_date_is_missing(text):
    assert math.isnan(cells.date(text))


@pytest.mark.parametrize(
    "text",
    ["NA", "2024-02-30", "2024-13-01", "2024-1-1", "20240101", "2024-W01-1", "01.02.2024", "2024-01-01T", "2024-01-01x",
     "2024-01-01T25:00", "\u0662024-01-01", "2024-01-01T10:00+99:00", "0000-01-01"],
)  # fmt: skip
def test_a_date_that_is_not_iso_8601_is_refused(text):
    with pytest.raises(ValueError, match="is not an ISO 8601 date"):
        cells.date(text)


@pytest.mark.parametrize("words", cells.WORDS)
def test_a_flag_knows_its_two_words_in_any_case_and_an_empty_cell(words):
    convert = cells.flag(words)
    assert [convert(words[0]), convert(f" {words[1].upper()} ")] == [0.0, 1.0]
    assert math.isnan(convert("")) and math.isnan(convert(" "))


@pytest.mark.parametrize("text", ["NA", "null", "2", "maybe", "t", "on"])
def test_a_flag_refuses_every_other_word_and_names_its_own(text):
    with pytest.raises(ValueError, match=f"'{text}' is neither no nor yes"):
        cells.flag(("no", "yes"))(text)


def test_zero_and_one_as_a_spreadsheet_writes_them_beside_gaps_are_the_same_flag():
    """pandas turns integers with missing values into 0.0 and 1.0. In JSON, 1 and 1.0 are the same number."""
    assert [cells.flag(("0", "1"))(text) for text in ("0.0", "1.0")] == [0.0, 1.0]


@pytest.mark.parametrize(
    "text", ["NA", "nan", "null", "None", "-", " ", "007", "1e999", "1_0", "a\nb", 'say "x"', "🙂"]
)
def test_text_is_the_text_itself_so_namibia_is_no_gap(text):
    assert cells.text(text) == text


def test_only_the_empty_text_is_missing():
    assert math.isnan(cells.text(""))


@pytest.mark.parametrize("kind", ["number", "date", "text", "flag"])
def test_each_kind_treats_missing_values_consistently(kind):
    convert = cells.converter(kind, ("no", "yes"))
    for text in ("", " ", "NA", "null", "-"):
        try:
            missing = convert(text) != convert(text)
        except ValueError:
            missing = False
        assert missing == cells.is_gap(text, kind), text


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["1", "2.5", "-3e2"], "number"),
        (["1", "2", ""], "number"),
        (["1", "NA", "NaN", "null", "None", "-"], "number"),
        (["1", "1"], "number"),
        (["0"], "number"),
        (["0", "1", "NA"], "number"),
        (["0.5", "0"], "number"),
        (["1e999", "2"], "number"),
        (["20240101"], "number"),
        (["00501", "90210"], "text"),
        (["-01", "2"], "text"),
        (["1_0", "2"], "text"),
        (["١٢", "2"], "text"),
        (["1,5", "2"], "text"),
        (["inf", "2"], "text"),
        (["NA"], "text"),
        (["NA", "DE", ""], "text"),
        (["1", "x"], "text"),
        (["yes", "NA"], "text"),
        (["true", "no"], "text"),
        (["true", "1"], "text"),
        (["2024-01-01", ""], "date"),
        (["2024-01-01", "2024-01-01T10:00:00Z", "2024-01-01T10:00:00"], "date"),
        (["2024-01-01", "NA"], "text"),
        (["2024-01-01", "soon"], "text"),
    ],
)
def test_the_kind_of_a_column_is_learned_from_all_of_its_cells(column, kind):
    assert cells.learn(column) == (kind, ())


@pytest.mark.parametrize("column", [["0", "1", ""], ["no", "YES", " "], ["True", "False"], ["yes"], ["false", ""]])
def test_a_column_of_two_known_words_is_a_flag(column):
    kind, words = cells.learn(column) or ("", ())
    assert kind == "flag" and {cell.strip().lower() for cell in column} - {""} <= set(words)


@pytest.mark.parametrize("column", [[], [""], ["", " ", "\t"]])
def test_an_empty_column_teaches_nothing(column):
    assert cells.learn(column) is None


@pytest.mark.parametrize(
    "cell", ["1", "1.5", " 2 ", "1e5", "5.", "2024-01-01", "x", "\u00a03", "\x1c4", "3\u2009", "1\x85"]
)
def test_a_learned_converter_accepts_the_cells_it_was_learned_from(cell):
    learned = cells.learn([cell])
    assert learned
    cells.converter(*learned)(cell)
