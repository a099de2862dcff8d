"""Announcements of keys over the sealed path between two devices, whichever hosts they are on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from qfleet_agent.delivery.announcer import Answer, Hearer, PeerSilent
from qfleet_agent.errors import AnnouncementRefused, PeerMessageTooLong
from qfleet_agent.keyservice import parcels
from qfleet_agent.keyservice.parcels import Announced, Answered
from qfleet_agent.keystore import announcement
from qfleet_agent.keystore.announcement import Announcement

Post = Callable[[str, bytes], Awaitable[None]]
"""Puts a message in line to a device that there is a line to, and raises ``KeyError`` for any other."""


class _Batch:
    """Announcements under one number, and what was said of them so far."""

    def __init__(self, link: str) -> None:
        self.link = link
        self.answers: list[Answer] = []
        self.done: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()


class PeerAnnouncer:
    """Both directions: announces to peers, and answers what they announce by ``hearer``."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._number = 0
        self._batches: dict[int, _Batch] = {}
        self.hearer: Hearer | None = None
        """Set once the delivery is there; before, announcements stay unanswered, and are repeated."""

    async def announce(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        """Send a batch and return the answers. Raises ``PeerSilent``."""
        numbers: list[int] = []
        try:
            for message, parcel in parcels.announced(self._number, batch):
                self._number = parcel.number + 1
                self._batches[parcel.number] = _Batch(link)
                numbers.append(parcel.number)
                await self._post(link, message)
            found = [await self._batches[number].done for number in numbers]
        except KeyError:
            raise PeerSilent(f"there is no line to {link}") from None
        except PeerMessageTooLong as error:
            raise PeerSilent(str(error)) from error
        finally:
            for number in numbers:
                del self._batches[number]
        return [answer for answers in found for answer in answers]

    def answered(self, link: str, said: Answered) -> None:
        """Take in what a peer answers; what nobody waits for any more is let go."""
        batch = self._batches.get(said.number)
        if batch is None or batch.link != link or batch.done.done():
            return
        batch.answers += said.answers
        if said.last:
            batch.done.set_result(batch.answers)

    def cut(self, link: str) -> None:
        """The line to a peer was cut: what it has not answered it may never have heard."""
        for batch in self._batches.values():
            if batch.link == link and not batch.done.done():
                batch.done.set_exception(PeerSilent(f"the line to {link} was cut"))

    async def heard(self, link: str, said: Announced) -> None:
        """Answer what a peer announces, once it is stored."""
        if self.hearer is None:
            return
        valid, answers = [], []
        for one in said.items:
            try:
                announcement.check(one)
            except AnnouncementRefused as error:
                answers.append(Answer(one.key, "no-such-bits", str(error)))
            else:
                valid.append(one)
        answers += await self.hearer(link, valid)
        for message in parcels.answered(said.number, answers):
            await self._post(link, message)
