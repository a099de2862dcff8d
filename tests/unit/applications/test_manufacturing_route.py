"""Closed paths: published optima, the model against all orders, 16 qubits of QAOA, repair, files."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from tests.unit.applications.local import Local

from qfleet_applications.errors import InvalidData, InvalidProblem, TooLarge
from qfleet_applications.manufacturing import exact, files, stretches, touring
from qfleet_applications.manufacturing.places import Places, plane
from qfleet_applications.manufacturing.route import EFFORT, RouteStudy
from qfleet_applications.manufacturing.stretches import Stretch
from qfleet_applications.manufacturing.touring import Walk

BURMA, GR = Path("burma14"), Path("gr17")


@pytest.mark.parametrize(
    ("places", "optimum"),
    [(files.places(BURMA), 3323), (files.places(GR), 2085), (files.places(BURMA).first(5), 2321)],
    ids=["burma14", "gr17", "five of burma14"],
)
def test_the_baseline_proves_the_published_length(places: Places, optimum: int) -> None:
    proof = exact.shortest_tour(places)
    assert proof.proved
    assert proof.value == optimum == places.length(proof.solution)


def test_five_cities_on_sixteen_qubits_have_the_length_2321() -> None:
    study = RouteStudy(files.places(BURMA).first(5), Walk(replace(EFFORT, method="qaoa", layers=1), rounds=0))
    assert study.qubits == 16
    report = study.conduct(Local())
    assert report.comparisons[0].fleet.value == 2321
    assert report.comparisons[0].winner == "neither"
    assert "2321" in report.comparisons[0].sentence
    assert report.comparisons[0].fleet.method.startswith("QAOA")
    assert "its own answer" in report.notes[1]


def test_the_lowest_valid_state_is_the_shortest_order() -> None:
    places = files.places(BURMA).first(5)
    whole = Stretch(places, 0, (1, 2, 3, 4), 0)
    qubo = stretches.model(whole)
    assert len(qubo) == 16
    lengths = {}
    for order in permutations(range(4)):
        bits = [int(order[seat] == one) for one in range(4) for seat in range(4)]
        path = tuple(whole.inner[one] for one in order)
        assert stretches.order(whole, bits) == (path, True)
        assert qubo.energy(bits) == pytest.approx(places.length((0, *path))) == whole.length(path)
        lengths[path] = whole.length(path)
    assert min(lengths.values()) == 2321


def test_any_state_is_repaired_to_an_order() -> None:
    whole = Stretch(files.places(BURMA).first(5), 0, (1, 2, 3, 4), 0)
    for state in range(0, 1 << 16, 97):
        order, valid = stretches.order(whole, [state >> bit & 1 for bit in range(16)])
        assert sorted(order) == [1, 2, 3, 4]
        assert valid == (
            all(sum(state >> (4 * one + seat) & 1 for seat in range(4)) == 1 for one in range(4))
            and all(sum(state >> (4 * one + seat) & 1 for one in range(4)) == 1 for seat in range(4))
        )


def test_the_annealed_path_of_burma14_is_near_the_optimum_and_says_how_near() -> None:
    report = RouteStudy(files.places(BURMA), Walk(EFFORT, seed=1)).conduct(Local())
    length = report.comparisons[0].fleet.value
    assert 3323 <= length <= 1.1 * 3323
    assert f"{length:.0f} is {100 * (length / 3323 - 1):.2f} % above CP-SAT's 3323" in report.notes[0]


def test_stretches_of_a_round_do_not_overlap_and_stand_in_the_path() -> None:
    places = files.places(GR)
    path = touring.Path(places, touring.nearest(places))
    for turn in range(17):
        cut = touring.cut(path, Walk(EFFORT), turn)
        inner = [one for stretch in cut for one in stretch.inner]
        assert len(inner) == len(set(inner)) == 14
        for stretch in cut:
            ring = path.tour * 2
            at = ring.index(stretch.before)
            assert ring[at : at + 9] == (stretch.before, *stretch.inner, stretch.after)


def test_users_files_give_points_or_distances(tmp_path: Path) -> None:
    points, pairs = tmp_path / "holes.csv", tmp_path / "aisles.csv"
    points.write_text("place,x [mm],y [mm]\na,0,0\nb,3,0\nc,3,4\n")
    pairs.write_text("from,to,distance [m]\na,b,3\nb,c,4\na,c,5\n")
    assert (
        files.places(points).distances
        == files.places(pairs, "m").distances
        == ((0, 3, 5), (3, 0, 4), (5, 4, 0))
    )
    assert plane([(0.0, 0.0), (0.6, 0.0)]) == ((0, 1), (1, 0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from,to,distance\na,b,3\nb,c,4\n", "the distance of a and c is missing"),
        ("from,to,distance\na,b,3\nb,a,4\n", "line 3: b and a are no pair, or are given twice"),
        ("place,x,y\na,0,0\na,3,0\nc,3,4\n", "line 3, column 'place': place a is given twice"),
        ("place,x\na,0\n", "its columns give no distances"),
        ("place,x [m],y [m]\na,0,0\n", r"it is in \[m\], and \[mm\] is needed"),
    ],
)
def test_a_file_that_is_no_problem_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "places.csv"
    file.write_text(text)
    with pytest.raises(InvalidData, match=told):
        files.places(file)


def test_too_few_places_are_refused() -> None:
    with pytest.raises(InvalidProblem, match="has 14 places and the first 15"):
        files.places(BURMA).first(15)
    with pytest.raises(InvalidProblem, match="2 places"):
        files.places(BURMA).first(2)


def test_five_places_in_one_model_take_sixteen_qubits() -> None:
    walk = Walk(replace(EFFORT, method="qaoa"), whole=True)
    study = RouteStudy(files.places(BURMA).first(5), walk)
    assert (study.qubits, len(study.requests())) == (16, 1)
    with pytest.raises(TooLarge, match="needs 25 qubits, and qaoa takes at most 24"):
        RouteStudy(files.places(BURMA).first(6), walk).requests()


def test_more_places_than_an_exact_method_holds_are_refused() -> None:
    many = Places("holes", tuple(map(str, range(201))), plane([(float(one), 0.0) for one in range(201)]))
    with pytest.raises(TooLarge, match="40000 qubits") as error:
        RouteStudy(many, Walk(EFFORT)).requests()
    assert error.value.qubits == 40000


def test_decimal_degrees_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "towns.csv"
    file.write_text("place,latitude,longitude\na,16.59,96.1\nb,20.60,92.54\nc,1,-2.5\n")
    with pytest.raises(InvalidData, match=r"line 3, column 'latitude': 20\.6 has 60 minutes"):
        files.places(file)


def test_a_name_that_is_neither_a_file_nor_bundled_is_told_what_is() -> None:
    with pytest.raises(InvalidData) as error:
        files.places(Path("gr24"))
    assert "burma14, gr17" in str(error.value.hint)
