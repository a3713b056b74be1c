"""Wake-ups inside one process: a hint that there may be work, never the only way to learn of it."""

import asyncio
from contextlib import suppress
from weakref import WeakSet


class Subscription:
    """One listener's ear on a signal; what was signaled while it worked wakes it at once."""

    def __init__(self) -> None:
        self._raised = asyncio.Event()

    def _raise(self) -> None:
        self._raised.set()

    async def wait(self, seconds: float) -> bool:
        """True when signaled since the last wait, false after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._raised.wait()
        raised = self._raised.is_set()
        self._raised.clear()
        return raised


class Signal:
    """Something happened, such as «this log was sealed further». Any number of listeners."""

    def __init__(self) -> None:
        self._subscriptions: WeakSet[Subscription] = WeakSet()

    def subscribe(self) -> Subscription:
        """A new ear; it hears until it is garbage collected."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        return subscription

    def notify(self) -> None:
        """Wake every listener. Call it from the event loop's thread only."""
        for subscription in self._subscriptions:
            subscription._raise()


class AnyOf(Signal):
    """Raised whenever one of several signals is."""

    def __init__(self, *signals: Signal) -> None:
        super().__init__()
        self._signals = signals

    def subscribe(self) -> Subscription:
        """A new ear on all of them."""
        subscription = super().subscribe()
        for signal in self._signals:
            signal._subscriptions.add(subscription)
        return subscription
