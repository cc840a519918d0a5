"""Answers of the RPC: none, an error, or one that is not true."""

import errno
from collections.abc import Callable

from embedded_vhost.faults.base import Fault, Parts, whole_number
from embedded_vhost.faults.moments import EVENTS, Moment, after, around_event, parse_moment
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.errors import Postponed, Unanswered, invalid_params
from embedded_vhost.rpc.params import Params


class NoAnswer(Fault):
    """All else is served meanwhile."""

    name = "no-answer"
    summary = "never answers an attach or detach (PARAMETER: attach, detach, or detach@2) and does not do it"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        around_event(parts, parse_moment(self, EVENTS), self._say_nothing)

    def _say_nothing(self, method: Method, params: Params) -> object:
        self.strike("no answer")
        raise Unanswered


class Refusal(Fault):
    """A right request is refused."""

    name = "refuse"
    summary = "answers an attach or detach (PARAMETER as for no-answer) with an error"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        around_event(parts, parse_moment(self, EVENTS), self._refuse)

    def _refuse(self, method: Method, params: Params) -> object:
        self.strike("an error is answered")
        raise invalid_params(errno.EBUSY)


class EmptyPromise(Fault):
    """Success, and nothing was done: vhost itself says so when it is asked what is attached."""

    name = "do-nothing"
    summary = "answers an attach or detach (PARAMETER as for no-answer) with success and does nothing"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        around_event(parts, parse_moment(self, EVENTS), self._pretend)

    def _pretend(self, method: Method, params: Params) -> object:
        self.strike("success is answered, nothing is done")
        return 0 if params.peek("bdev_name") else True


class WrongNumber(Fault):
    """The answer of an attach names another slot than the one that was taken."""

    name = "wrong-answer"
    summary = "answers an attach (PARAMETER: attach, or attach@2) with another target number than it took"
    default = "attach"

    def plant(self, parts: Parts) -> None:
        around_event(parts, parse_moment(self, ("attach",)), self._misstate)

    def _misstate(self, method: Method, params: Params) -> object:
        number = method(params)
        assert isinstance(number, int)
        self.strike(f"{number + 1} is answered instead of {number}")
        return number + 1


class Silence(Fault):
    """The thread of the RPC is kept busy, those of the disks are not."""

    name = "rpc-silent"
    summary = "answers no RPC for PARAMETER seconds once an attach was answered; the disks are served meanwhile"
    default = "4"

    def plant(self, parts: Parts) -> None:
        self._parts, self._seconds = parts, whole_number(self)
        self._is_silent = False
        self._kept: list[Callable[[], None]] = []
        for name in parts.dispatcher.names(current=False):
            parts.dispatcher.wrap(name, self._keep)
        around_event(parts, Moment("attach", 1), self._fall_silent)

    def _keep(self, method: Method, params: Params) -> object:
        if not self._is_silent:
            return method(params)
        postponed = Postponed()
        self._kept.append(lambda: postponed.settle(lambda: method(params)))
        raise postponed

    def _fall_silent(self, method: Method, params: Params) -> object:
        number = method(params)
        self.strike(f"no RPC is answered for {self._seconds} s")
        self._is_silent = True
        after(self._parts.loop, self._seconds, self._answer_again)
        return number

    def _answer_again(self) -> None:
        self._is_silent = False
        kept, self._kept = self._kept, []
        for answer in kept:
            answer()


FAULTS: tuple[type[Fault], ...] = (NoAnswer, Refusal, EmptyPromise, WrongNumber, Silence)
