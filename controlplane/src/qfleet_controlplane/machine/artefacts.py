"""Results too large for one message: their chunks, and the proof that they are whole.

A result whose body comes in chunks counts, and is acknowledged, only after the chunks have been read
back from the store and their SHA-256 was right. Pieces of something that never completes
are dropped at the next start; the device sends them again.
"""

from qfleet_controlplane.machine import alarms, counting, effects, events, state, tables
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire import payloads
from qfleet_wire.limits import LIMITS

MOST_CHUNKS = -(-LIMITS.artefact_bytes // LIMITS.chunk_bytes)


def chunk(turn: Turn, device: state.Device, piece: payloads.Chunk) -> None:
    """Keep a piece of an artefact; one that does not fit in is dropped."""
    if not 0 <= piece.index < piece.count <= MOST_CHUNKS or len(piece.data) > LIMITS.chunk_bytes:
        detail = f"chunk {piece.index} of {piece.count} with {len(piece.data)} bytes is out of bounds"
        alarms.about(turn, device, "artefact", device.name, detail)
        return
    artefact = _artefact(turn, device, piece.digest)
    artefact.count = artefact.count or piece.count
    if artefact.count != piece.count or piece.index in artefact.have:
        return
    artefact.have.add(piece.index)
    turn.effects.append(effects.SaveChunk(turn.cause, device.name, piece))
    _read_if_complete(turn, device, piece.digest, artefact)


def expect(turn: Turn, device: state.Device, digest: bytes, arrival: state.Arrival) -> None:
    """Note a result whose body comes, or has come, in chunks."""
    artefact = _artefact(turn, device, digest)
    artefact.arrival = arrival
    _read_if_complete(turn, device, digest, artefact)


def drop(turn: Turn, device: state.Device, digest: bytes) -> None:
    """Forget the pieces of an artefact that is not needed; what a counted result holds stays."""
    turn.state.artefacts.pop((device.name, digest), None)
    turn.effects.append(effects.DropChunks(turn.cause, device.name, digest))


def assembled(turn: Turn, event: events.Assembled) -> None:
    """Judge a result whose chunks were read back."""
    artefact = turn.state.artefacts.pop((event.device, event.digest), None)
    device = turn.state.devices.get(event.device)
    if artefact is None or artefact.arrival is None or device is None:
        return
    if device.status in tables.SHUT_OUT:
        # Shut out while its chunks were being read: nothing that it sends counts or is answered.
        drop(turn, device, event.digest)
        return
    arrival = artefact.arrival
    task = turn.state.tasks.get(arrival.result.task)
    if task is None or task.status not in tables.TASK_OPEN:
        drop(turn, device, event.digest)
    elif not counting.may_count(task, device, arrival.result.attempt):
        counting.set_aside(turn, device, arrival.result)
        drop(turn, device, event.digest)
    elif event.body is None:
        alarms.about(turn, device, "artefact", task.id, "chunks do not match their digest")
        counting.fail(turn, device, arrival.result, "the result's chunks do not match their digest")
        drop(turn, device, event.digest)
    elif counting.judge(turn, device, arrival, event.body):
        counting.provenance(turn, device, arrival.flush)
    else:
        drop(turn, device, event.digest)
    turn.send(device.name, payloads.Acknowledge(((arrival.result.task, arrival.result.attempt),)))


def _artefact(turn: Turn, device: state.Device, digest: bytes) -> state.Artefact:
    return turn.state.artefacts.setdefault((device.name, digest), state.Artefact())


def _read_if_complete(turn: Turn, device: state.Device, digest: bytes, artefact: state.Artefact) -> None:
    complete = artefact.count > 0 and len(artefact.have) == artefact.count
    if complete and artefact.arrival is not None and not artefact.reading:
        artefact.reading = True
        turn.effects.append(effects.Assemble(turn.cause, device.name, digest, artefact.count))
