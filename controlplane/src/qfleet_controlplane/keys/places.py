"""Which link or node is meant by a name: that of a place of the scenario, or of the device there."""

from collections.abc import Mapping

from qfleet_controlplane.errors import InvalidRequest, NotFound
from qfleet_controlplane.keys.model import Scene
from qfleet_controlplane.network.key_links import KeyLink
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.names import DeviceName

NO_LINKS = "no link of the scenario that is loaded joins two devices"
GIVE_DEVICES = 'give two of its places a device = "NAME" and load it again'


def seats(scene: Scene) -> Mapping[str, DeviceName]:
    """The device at each node that has a link."""
    found: dict[str, DeviceName] = {}
    for link in scene.links.values():
        found.update(zip((link.a, link.b), link.devices, strict=True))
    return found


def nodes(scene: Scene, a: str, b: str) -> tuple[str, str]:
    """The nodes of two names.

    Raises:
        NotFound: one of them has no link.
        InvalidRequest: they are one.
    """
    known = seats(scene)
    if not known:
        raise NotFound(NO_LINKS, hint=GIVE_DEVICES)
    by_device = {device: node for node, device in known.items()}
    found = []
    for field, name in (("a", a), ("b", b)):
        node = name if name in known else by_device.get(DeviceName(name))
        if node is None:
            raise NotFound(
                f"no link joins a device at {name!r} to another",
                hint=f"there are {', '.join(sorted(known))}",
                field=field,
            )
        found.append(node)
    if found[0] == found[1]:
        others = ", ".join(sorted(set(known) - set(found)))
        raise InvalidRequest(
            f"a key is for two places, and both are {found[0]!r}",
            hint=f"there are {others} besides",
            field="b",
        )
    return found[0], found[1]


def link(scene: Scene, a: str, b: str) -> KeyLink:
    """The link between two names; raises as ``nodes``, and ``NotFound`` where they share none."""
    ends = nodes(scene, a, b)
    found = scene.links.get(pair(*ends))
    if found is None:
        raise NotFound(
            f"{ends[0]} and {ends[1]} share no link",
            hint=f"`qfleet key relay {a} {b}` carries a key over others",
            field="b",
        )
    return found
