"""Who takes and gives up which region."""

import itertools

import pytest

from qfleet_controlplane.daemon.leases import Decision, Lease, Situation, decide
from qfleet_wire.names import ControllerName, RegionName

ME, YOU, THIRD = ControllerName("me"), ControllerName("you"), ControllerName("third")
FOUR = tuple(RegionName(name) for name in ("a", "b", "c", "d"))
A, B, C, D = FOUR


def held(**holders: str) -> dict[RegionName, Lease]:
    """Leases that last; a holder in upper case has let it end."""
    return {
        RegionName(region): Lease(ControllerName(name.lower()), -1.0 if name.isupper() else 4.0)
        for region, name in holders.items()
    }


def test_alone_it_takes_everything_at_once() -> None:
    assert set(decide(ME, Situation({}, {}, FOUR)).take) == set(FOUR)


def test_two_that_start_together_leave_half_to_each_other() -> None:
    both = {ME: 5.0, YOU: 5.0}
    assert len(decide(ME, Situation({}, both, FOUR)).take) == 2


@pytest.mark.parametrize("share", [1, 2, 3, 4])
def test_what_a_dead_controller_held_is_taken(share: int) -> None:
    dead = {region: Lease(YOU, -0.1) for region in FOUR[:share]}
    mine = {region: Lease(ME, 4.0) for region in FOUR[share:]}
    seen = Situation({**dead, **mine}, {ME: 5.0, YOU: -0.1}, FOUR, leading=tuple(mine))
    assert set(decide(ME, seen).take) == set(dead)


def test_what_is_held_by_another_is_left_alone() -> None:
    seen = Situation(held(a="you", b="you", c="me", d="me"), {YOU: 5.0}, FOUR, leading=(C, D))
    assert decide(ME, seen) == Decision()


def test_what_was_its_own_before_a_restart_is_taken_back_at_once() -> None:
    seen = Situation(held(a="me", b="you", c="you", d="me"), {ME: 3.0, YOU: 3.0}, FOUR)
    assert set(decide(ME, seen).take) == {A, D}


def test_surplus_goes_to_a_controller_that_has_joined() -> None:
    everything = held(a="me", b="me", c="me", d="me")
    seen = Situation(everything, {ME: 5.0, YOU: 5.0}, FOUR, leading=FOUR)
    assert len(decide(ME, seen).release) == 2
    assert decide(ME, seen._replace(controllers={ME: 5.0, YOU: -1.0})).release == ()


def test_nothing_is_given_up_while_everybody_has_a_share() -> None:
    seen = Situation(
        held(a="me", b="me", c="you", d="you"), {ME: 5.0, YOU: 5.0, THIRD: -1.0}, FOUR, leading=(A, B)
    )
    assert decide(ME, seen) == Decision()


def test_a_region_that_nobody_can_serve_is_not_taken() -> None:
    assert decide(ME, Situation({}, {}, (A,), leading=())).take == (A,)
    assert decide(ME, Situation(held(b="YOU"), {}, (A,), leading=(A,))).take == ()


def test_a_region_that_nobody_else_takes_is_taken_over_the_share_and_kept() -> None:
    leases = held(a="me", b="me", c="YOU", d="you")
    seen = Situation(leases, {YOU: 5.0}, FOUR, leading=(A, B), free_for={C: 5.0})
    assert decide(ME, seen).take == ()
    late = decide(ME, seen._replace(free_for={C: 20.0}))
    assert late.take == late.orphans == (C,)
    after = Situation({**leases, C: Lease(ME, 4.0)}, {YOU: 5.0}, FOUR, leading=(A, B, C), unwanted=(C,))
    assert decide(ME, after).release == ()


@pytest.mark.parametrize("controllers", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("regions", [1, 2, 3, 4, 7])
def test_controllers_come_to_rest_with_every_region_led_once(controllers: int, regions: int) -> None:
    names = [ControllerName(f"c{number}") for number in range(controllers)]
    places = tuple(RegionName(f"r{number}") for number in range(regions))
    leases = {place: Lease(names[0], 4.0) for place in places}
    leading: dict[ControllerName, set[RegionName]] = {name: set() for name in names}
    leading[names[0]] = set(places)
    alive = dict.fromkeys(names, 5.0)
    for turn in itertools.count():
        changed = False
        for name in names:
            decision = decide(name, Situation(leases, alive, places, leading[name]))
            for place in decision.take:
                assert leases[place].left_s <= 0
                leases[place] = Lease(name, 4.0)
                leading[name].add(place)
            for place in decision.release:
                leases[place] = Lease(name, 0.0)
                leading[name].discard(place)
            changed |= decision != Decision()
        if not changed:
            break
        assert turn < 20, "they never come to rest"
    assert sorted(itertools.chain(*leading.values())) == sorted(places)
    assert max(map(len, leading.values())) <= -(-regions // controllers)
