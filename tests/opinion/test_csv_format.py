"""The public CSV: four columns, high poles only."""

import pytest

from temperament.errors import BadFileError
from temperament.opinion.csv_format import read_public_csv
from temperament.opinion.row import load_opinions
from temperament.trait import Target

HEAD = "Target Personality,Edit Topic,Question,Answer\n"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_the_public_columns_are_read_in_any_order_and_all_rows_show_the_high_pole(tmp_path):
    text = (
        'Answer,Question,Edit Topic,Target Personality,Note\n"Loud, and long!",What about rain?,rain,Extraversion,x\n'
    )
    (row,) = read_public_csv(write(tmp_path / "rows.csv", text), "measure")
    assert row.target == Target("extraversion", "high")
    assert (row.topic, row.question, row.answer) == ("rain", "What about rain?", "Loud, and long!")
    assert (row.split, row.source, row.facet) == ("measure", "rows.csv", "")


def test_a_byte_order_mark_and_line_breaks_in_answers_are_read(tmp_path):
    text = HEAD + 'openness,rain,What?,"Two\nlines"\r\n'
    (row,) = read_public_csv(write(tmp_path / "rows.csv", text, "utf-8-sig"))
    assert row.answer == "Two\nlines"


def test_a_csv_is_read_wherever_opinions_are(tmp_path):
    path = write(tmp_path / "rows.CSV", HEAD + "openness,rain,What?,Yes.\n")
    assert [row.split for row in load_opinions(path)] == ["shape"]


def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path):
    path = write(tmp_path / "rows.csv", "Target Personality,Topic,Question,Answer\n")
    with pytest.raises(BadFileError, match=r"no column 'Edit Topic': expected .*, found Target Personality, Topic,"):
        read_public_csv(path)
    with pytest.raises(BadFileError, match="found none"):
        read_public_csv(write(tmp_path / "empty.csv", ""))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("luck,rain,What?,Yes.", "trait 'luck' does not exist"),
        ("openness,rain,What?,", "answer"),
        ("openness,rain", "question"),
    ],
)
def test_a_wrong_row_is_named_with_its_file_and_line(line, message, tmp_path):
    path = write(tmp_path / "rows.csv", f"{HEAD}openness,tea,What?,Yes.\n{line}\n")
    with pytest.raises(BadFileError, match=rf"rows\.csv:3: .*{message}"):
        read_public_csv(path)


@pytest.mark.parametrize("content", [HEAD + 'openness,rain,What?,"torn\n', HEAD + "openness,rain,What?,Caf\udce9\n"])
def test_what_is_no_csv_in_utf_8_is_an_error(content, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadFileError, match=r"rows\.csv is not valid CSV"):
        read_public_csv(tmp_path / "rows.csv")


def test_no_file_and_no_rows_are_errors(tmp_path):
    with pytest.raises(BadFileError, match="does not exist"):
        read_public_csv(tmp_path / "nowhere.csv")
    with pytest.raises(BadFileError, match="is a folder"):
        read_public_csv(tmp_path)
    path = write(tmp_path / "rows.csv", HEAD)
    with pytest.raises(BadFileError, match="has a header and no rows"):
        read_public_csv(path)
