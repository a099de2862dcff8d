"""Which bits of which contacts are booked, and for whom.

A booking takes all the bits that its demand asks for, from every contact of every part, or nothing at all.
A demand is spread over at most ``most_routes`` routes: each time the best route is taken that is wide
enough for the rest to fit into the routes still allowed. That prefers early keys and is no maximum flow: a
demand may be refused that a cleverer division over later routes would serve.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from qfleet_controlplane import errors
from qfleet_controlplane.network.contacts import model, routes
from qfleet_controlplane.network.contacts.plan import InvalidPlan, Plan


class Ledger:
    """The volume of a plan's contacts; ``bookings`` are already counted in the contacts' booked bits.

    Raises:
        InvalidPlan: when the bookings hold more of a contact than the plan says is booked.
    """

    def __init__(self, plan: Plan, bookings: Iterable[model.Booking] = ()) -> None:
        self.plan = plan
        self._expected = {number: each.expected_bits for number, each in plan.contacts.items()}
        self._booked = {number: each.booked_bits for number, each in plan.contacts.items()}
        self._free = {number: self._expected[number] - bits for number, bits in self._booked.items()}
        self._bookings = {each.demand.name: each for each in bookings}
        for number, bits in self.held().items():
            if bits > plan.contact(number).booked_bits:
                raise InvalidPlan(
                    f"bookings hold {bits} bits of contact {number}, "
                    f"of which {self._booked[number]} are booked"
                )

    @property
    def free(self) -> Mapping[int, int]:
        """Bits of each contact that nobody has booked."""
        return MappingProxyType(self._free)

    @property
    def bookings(self) -> Mapping[str, model.Booking]:
        """Bookings by the name of their demand, in the order in which they were made."""
        return MappingProxyType(self._bookings)

    def held(self) -> dict[int, int]:
        """Bits of each contact that bookings hold; what is booked beyond them is taken for good."""
        held: dict[int, int] = {}
        for booking in self._bookings.values():
            for part in booking.parts:
                for number in part.route.contacts:
                    held[number] = held.get(number, 0) + part.bits
        return held

    def contacts(self) -> list[model.Contact]:
        """The plan's contacts with the volumes of now."""
        return [
            replace(each, expected_bits=self._expected[number], booked_bits=self._booked[number])
            for number, each in self.plan.contacts.items()
        ]

    def book(self, demand: model.Demand) -> model.Booking | model.Refusal:
        """Book all of a demand, or nothing and say why.

        Raises:
            InvalidDemand: when it makes no sense.
            Conflict: when a demand of that name is booked already.
        """
        routes.check(self.plan, demand)
        if demand.name in self._bookings:
            raise errors.Conflict(f"demand {demand.name!r} is booked already; release it first")
        parts = tuple(self.take(demand))
        served = sum(part.bits for part in parts)
        if served < demand.bits:
            self.give_back(parts)
            return model.Refusal(demand=demand, reason=self.why(demand, served), servable_bits=served)
        return self.keep(model.Booking(demand=demand, parts=parts))

    def release(self, name: str) -> model.Booking:
        """Give a booking's bits back to their contacts.

        Raises:
            NotFound: when no demand of that name is booked.
        """
        booking = self.forget(name)
        self.give_back(booking.parts)
        return booking

    def consume(self, name: str) -> model.Booking:
        """The key was relayed: its bits stay taken for good, and nothing breaks the booking any more.

        Raises:
            NotFound: when no demand of that name is booked.
        """
        return self.forget(name)

    def keep(self, booking: model.Booking) -> model.Booking:
        """Enter a booking whose bits are taken."""
        self._bookings[booking.demand.name] = booking
        return booking

    def forget(self, name: str) -> model.Booking:
        """Strike a booking and leave its bits taken."""
        if name not in self._bookings:
            raise errors.NotFound(f"no demand named {name!r} is booked")
        return self._bookings.pop(name)

    def take(
        self, demand: model.Demand, *, begun: tuple[int, ...] = (), since_s: float | None = None
    ) -> Iterator[model.Part]:
        """Take bits route by route until the demand is served or no route is left.

        ``begun`` are contacts already behind, of which any first few may be kept; ``since_s`` is now.
        """
        rest, left, widest = demand.bits, demand.most_routes, demand.bits
        while rest and left:
            wanted = min(-(-rest // left), widest)
            found = self._best(replace(demand, bits=wanted), begun, since_s)
            if found is not None:
                left -= 1
                part = model.Part(route=found, bits=min(rest, found.bits))
                rest -= part.bits
                self._move(part, 1)
                yield part
            elif wanted == 1:
                return
            else:
                # Too narrow to serve all of it; go on, to know how much of it there is room for.
                widest = wanted // 2

    def give_back(self, parts: Iterable[model.Part]) -> None:
        """Free the bits of parts."""
        for part in parts:
            self._move(part, -1)

    def expect(self, number: int, bits: int) -> None:
        """Change what is expected of a contact; its free bits are negative where too many are booked.

        Raises:
            InvalidPlan: for an unknown contact, or a volume that is negative.
        """
        self.plan.contact(number)
        if bits < 0:
            raise InvalidPlan(f"contact {number} cannot give {bits} bits; give 0 when it fails")
        self._expected[number] = bits
        self._free[number] = bits - self._booked[number]

    def why(self, demand: model.Demand, served: int) -> str:
        """Say what stands between a demand and its key."""
        ends = f"{demand.a} and {demand.b}"
        open_ended = replace(demand, bits=1, deadline_s=None)
        soonest = routes.best(self.plan, self._expected, open_ended)
        if soonest is None:
            return f"no chain of contacts joins {ends} from {demand.from_s:g} s on"
        if demand.deadline_s is not None and soonest.arrival_s > demand.deadline_s:
            return (
                f"the first key of {ends} could be there at {soonest.arrival_s:g} s, "
                f"after the deadline at {demand.deadline_s:g} s"
            )
        return (
            f"the contacts between {ends} have room for {served} of {demand.bits} bits "
            f"over {demand.most_routes} routes"
        )

    def _best(
        self, demand: model.Demand, begun: tuple[int, ...], since_s: float | None
    ) -> model.Route | None:
        if since_s is None:
            return routes.best(self.plan, self._free, demand)
        found = [
            routes.best(self.plan, self._free, demand, begun=begun[:kept], since_s=since_s)
            for kept in range(len(begun) + 1)
        ]
        return min(
            (each for each in found if each is not None),
            key=lambda each: routes.key(self.plan, each),
            default=None,
        )

    def _move(self, part: model.Part, sign: int) -> None:
        for number in part.route.contacts:
            self._booked[number] += sign * part.bits
            self._free[number] = self._expected[number] - self._booked[number]
