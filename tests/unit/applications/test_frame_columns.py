"""A user's table: read where it is right, and refused with its place where it is not."""

from pathlib import Path

import numpy as np
import pytest

from qfleet_applications.errors import InvalidData
from qfleet_applications.frame.columns import Column, read

COLUMNS = (
    Column("name", kind="text"),
    Column("load", unit="MW", low=0.0),
    Column("units", kind="integer", low=1, high=9),
    Column("price", optional=True),
)


def written(folder: Path, text: str) -> Path:
    file = folder / "table.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_columns_are_found_by_name_in_any_order_and_others_let_be(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeffunits,other,load [MW],name\n3,x,1.5,a\n\n9,y,0,b\n")
    frame = read(file, COLUMNS)
    assert frame.rows == 2
    assert frame.lines == (2, 4)
    assert frame.texts("name") == ["a", "b"]
    np.testing.assert_array_equal(frame.numbers("load"), [1.5, 0.0])
    assert not frame.has("price")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,load,units\na,1,2\nb,x,2\n", r"line 3, column 'load': 'x' is no finite number"),
        ("name,load,units\na,nan,2\n", r"line 2, column 'load': 'nan' is no finite number"),
        ("name,load,units\na,-1,2\n", r"line 2, column 'load': -1 is not within 0 to inf MW"),
        ("name,load,units\na,1,2.5\n", r"line 2, column 'units': 2.5 is no whole number"),
        ("name,load,units\na,1,10\n", r"line 2, column 'units': 10 is not within 1 to 9"),
        ("name,load,units\n,1,2\n", r"line 2, column 'name': the cell is empty"),
        ("name,load,units\na,1\n", r"line 2: 2 cells below 3 columns"),
        ("name,load [kW],units\na,1,2\n", r"line 1, column 'load': it is in \[kW\], and \[MW\] is needed"),
        ("name,laod,units\na,1,2\n", r"line 1, column 'load': there is no such column"),
        ("name,load,load,units\na,1,1,2\n", r"line 1, column 'load': the column stands there twice"),
        ("name,load,units\n", r"it has 0 rows, and at least 1 are needed"),
        ("", r"line 1, column 'name': there is no such column"),
        ('name,load,units\n"a,1,2\n', r"cannot be read as CSV"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidData, match=told):
        read(written(tmp_path, text), COLUMNS)


def test_a_near_name_is_proposed(tmp_path: Path) -> None:
    with pytest.raises(InvalidData) as refused:
        read(written(tmp_path, "name,laod,units\na,1,2\n"), COLUMNS)
    assert refused.value.hint == "is 'laod' meant? needed are name, load, units"


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"nowhere\.csv'.*No such file"):
        read(tmp_path / "nowhere.csv", COLUMNS)
