"""Answers of the RPC: none, an error, or one that is not true."""

import errno

from embedded_vhost.faults.base import Fault, Parts
from embedded_vhost.faults.moments import EVENTS, around_event, parse_moment
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.errors import Unanswered, invalid_params
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


FAULTS: tuple[type[Fault], ...] = (NoAnswer, Refusal, EmptyPromise, WrongNumber)
