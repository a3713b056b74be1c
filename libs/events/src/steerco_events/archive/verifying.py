"""Verifying an archive: with nothing but it, the public key, and signed heads that were kept elsewhere.

What is checked: each event is the one that was sealed, none is missing and none was put in; each seal follows
from the one before; each signed head is what the log was when it was signed, by the key that is given; the log
is not shorter than a head that was signed. Heads that a restore lost can't be checked: they are counted.

Of some subjects alone it is checked that the versions of each follow one another, from the first version on if the
archive begins where the log does. That no event of a subject came after its last here can't be shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from steerco_events.archive.hashing import SIZE, START, event_hash
from steerco_events.archive.lines import Beginning, End, Line, Seal, Signed
from steerco_events.envelope import Recorded
from steerco_events.heads_file import SIGN_EVERY_SECONDS
from steerco_events.positions import SignedHead, kept_of


class VerifyingKey(Protocol):
    """The public half of the key that signs heads."""

    @property
    def key_id(self) -> str:
        """Its thumbprint."""
        ...

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the signature over the bytes is this key's."""
        ...


class Altered(Exception):
    """The log is not what it was; the text names the first place that shows it.

    `event` is the event, if it is known which one; `position` where to look.
    """

    def __init__(self, detail: str, *, position: int, event: Recorded | None = None) -> None:
        super().__init__(detail)
        self.position = position
        self.event = event


@dataclass(slots=True)
class Verified:
    """What was found to be as it was sealed.

    `beginning` says of which part of which log; `keys`: how many were given to check signatures with.
    `signed_up_to`: the position that the last good signature covers; `unsigned` events come after it, the first of
    them sealed at `unsigned_since`. `unknown`: the first head that a key signed which was not given. `lost`: heads of
    before a restore, beyond what it kept, as far as the log's generations are true. `versions`: the first and the
    last version of each subject, if not all are there.
    """

    beginning: Beginning = field(default_factory=lambda: Beginning(0, "", (), 0, None, True))
    keys: int = 0
    events: int = 0
    seals: int = 0
    signatures: int = 0
    position: int = 0
    signed_up_to: int = 0
    unsigned: int = 0
    unsigned_since: datetime | None = None
    of_unknown_keys: int = 0
    unknown: SignedHead | None = None
    lost: set[SignedHead] = field(default_factory=set)
    versions: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """Whose log it is."""
        return self.beginning.service

    def doubt(self, now: datetime) -> str | None:
        """Why the keys that were given don't stand for this log, if they should by now; of no key nothing is said.

        Who can write everything but has no key can seal anew what was altered, and then leave the signatures out or
        make them with a key of his own.
        """
        if not self.keys:
            return None
        if self.unknown:
            return (
                f"{self.of_unknown_keys} of its heads are signed by a key that was not given, the first at position"
                f" {self.unknown.position} by the key {self.unknown.key_id}"
            )
        is_due = self.unsigned_since and now - self.unsigned_since > timedelta(seconds=SIGN_EVERY_SECONDS)
        if is_due and not self.signatures:
            return (
                f"nothing of it is signed by a key that was given, though it was sealed since {self.unsigned_since}:"
                " its signatures were left out, or never made"
            )
        return None


class Verifier:
    """Takes the lines of an archive in their order.

    `keys`: those whose signatures count. `kept`: signed heads of this log from outside of it.
    """

    def __init__(self, keys: Iterable[VerifyingKey] = (), kept: Sequence[SignedHead] = ()) -> None:
        self._keys = {key.key_id: key for key in keys}
        self.verified = Verified(keys=len(self._keys))
        self._heads = list(kept)
        self._beginning = self.verified.beginning
        self._seal: Seal | None = None
        self._hash = START
        self._left: list[bytes] = []
        self._last = 0
        self._is_over = False

    def take(self, line: Line) -> None:
        """Check one line more. Raises `Altered`."""
        match line:
            case Beginning():
                self._begin(line)
            case Signed(head):
                self._heads += self._to_be_found([head])
            case Seal():
                self._take_seal(line)
            case Recorded():
                self._take_event(line)
            case End():
                self._end(line)

    def finish(self) -> Verified:
        """What was verified, after the last line. Raises `Altered` if the archive was cut off."""
        if not self._is_over:
            raise Altered("the archive is cut off: it has no end", position=self.verified.position)
        return self.verified

    def _begin(self, beginning: Beginning) -> None:
        self._beginning = self.verified.beginning = beginning
        self.verified.position = self._last = beginning.after
        self._heads = self._to_be_found(self._heads)

    def _to_be_found(self, heads: Iterable[SignedHead]) -> list[SignedHead]:
        """The heads that this archive must have: none from before its beginning, none that a restore lost."""
        service, after = self._beginning.service, self._beginning.after
        own = [head for head in heads if head.service == service and head.position >= after]
        lost = {head for head in own if self._is_lost(head)}
        self.verified.lost |= lost
        return [head for head in own if head not in lost]

    def _is_lost(self, head: SignedHead) -> bool:
        kept = kept_of(self._beginning.began, head.generation)
        return kept is not None and head.position > kept

    def _take_seal(self, seal: Seal) -> None:
        self._close_seal()
        if self._seal is None and self._beginning.after:
            self._hash = seal.previous
        self._check_heads(seal.last - 1)
        place = f"the seal of positions {seal.first} to {seal.last}"
        if seal.previous != self._hash:
            raise Altered(f"{place} does not follow from the seal before it", position=seal.first)
        if seal.computed() != seal.hash:
            raise Altered(f"{place} is not what it was: its hash does not fit it", position=seal.first)
        if seal.first <= self.verified.position:
            raise Altered(f"{place} overlaps what was sealed up to {self.verified.position}", position=seal.first)
        self._seal, self._hash, self._last = seal, seal.hash, seal.first - 1
        self._left = [seal.hashes[n : n + SIZE] for n in range(0, len(seal.hashes), SIZE)]
        self.verified.seals += 1
        self.verified.unsigned_since = self.verified.unsigned_since or seal.sealed_at
        self.verified.position = seal.last

    def _take_event(self, event: Recorded) -> None:
        seal = self._seal
        what = (
            f"the event at position {event.position} ({event.type}, version {event.stream_version} of {event.stream},"
            f" id {event.id})"
        )
        if seal is None or not self._last < event.position <= seal.last:
            raise Altered(f"{what} is where nothing was sealed", position=event.position, event=event)
        if (event.sealed_at, event.generation) != (seal.sealed_at, seal.generation):
            raise Altered(f"{what} says that it was sealed otherwise", position=event.position, event=event)
        digest = event_hash(event)
        if self._beginning.whole and digest in self._left[1:]:
            missing = self._left.index(digest)
            detail = f"{missing} event(s) that were sealed after position {self._last} and before {what} are missing"
            raise Altered(detail, position=self._last + 1)
        if digest not in (self._left[:1] if self._beginning.whole else self._left):
            raise Altered(f"{what} is not what was sealed at {seal.sealed_at}", position=event.position, event=event)
        if not self._beginning.whole:
            self._follow(event, what)
        del self._left[: self._left.index(digest) + 1]
        self._last = event.position
        self.verified.events += 1
        self.verified.unsigned += 1

    def _follow(self, event: Recorded, what: str) -> None:
        """Check that a subject's event has the version after the one before it."""
        before = 0 if self._beginning.after == 0 else event.stream_version - 1
        first, last = self.verified.versions.get(event.stream, (event.stream_version, before))
        if event.stream_version != last + 1:
            missing = f"version {last + 1} of {event.stream}"
            raise Altered(f"{missing} is missing before {what}", position=event.position)
        self.verified.versions[event.stream] = first, event.stream_version

    def _close_seal(self) -> None:
        if self._beginning.whole and self._left and self._seal:
            detail = f"of what was sealed up to {self._seal.last}, {len(self._left)} event(s) are missing at the end"
            raise Altered(detail, position=self._last + 1)

    def _check_heads(self, up_to: int) -> None:
        """Check the signed heads from the last seal on and up to a position: there the log had this hash."""
        due = [head for head in self._heads if head.position <= up_to]
        self._heads = [head for head in self._heads if head.position > up_to]
        for head in sorted(due, key=lambda each: each.position):
            if head.hash != self._hash:
                since = self.verified.signed_up_to
                detail = (
                    f"the log up to {head.position} is not the one whose head was signed at {head.watermark}:"
                    f" something after position {since} was altered, and sealed anew"
                )
                raise Altered(detail, position=since + 1)
            self._check_signature(head)

    def _check_signature(self, head: SignedHead) -> None:
        key = self._keys.get(head.key_id)
        if key is None:
            self.verified.of_unknown_keys += 1
            self.verified.unknown = self.verified.unknown or head
            return
        if not key.has_signed(head.signed_bytes(), head.signature):
            raise Altered(f"the signature over the head at {head.position} is not the key's", position=head.position)
        self.verified.signatures += 1
        self.verified.signed_up_to = max(self.verified.signed_up_to, head.position)
        self.verified.unsigned, self.verified.unsigned_since = 0, None

    def _end(self, end: End) -> None:
        self._close_seal()
        if self._seal is None and self._beginning.after:
            self._hash = end.hash
        self._check_heads(end.position)
        if self._heads and self._beginning.until is None:
            ahead = max(self._heads, key=lambda head: head.position)
            detail = f"the log ends at {end.position}, but its head at {ahead.position} was signed at {ahead.watermark}"
            raise Altered(f"{detail}: its end was cut off", position=end.position)
        if end.hash != self._hash:
            raise Altered(f"the end at {end.position} has not the hash of the last seal", position=end.position)
        self.verified.position = max(self.verified.position, end.position)
        self._is_over = True


def verify(lines: Iterable[Line], keys: Iterable[VerifyingKey] = (), kept: Sequence[SignedHead] = ()) -> Verified:
    """What an archive is found to be. Raises `Altered`."""
    verifier = Verifier(keys, kept)
    for line in lines:
        verifier.take(line)
    return verifier.finish()
