"""Faults of RPC answers: no answer, an error, or a wrong answer."""

import errno
from collections.abc import Callable

from embedded_vhost.faults.base import Components, Fault, whole_number
from embedded_vhost.faults.triggers import EVENTS, Trigger, after, around_event, parse_trigger
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.errors import Postponed, Unanswered, invalid_params
from embedded_vhost.rpc.params import Params


class NoAnswer(Fault):
    """One request is never answered; everything else is served."""

    name = "no-answer"
    summary = "never answers an attach or detach (PARAMETER: attach, detach, or detach@2) and does not do it"
    default = "detach"

    def install(self, components: Components) -> None:
        """Replaces the attach or detach of the trigger."""
        around_event(components, parse_trigger(self, EVENTS), self._say_nothing)

    def _say_nothing(self, method: Method, params: Params) -> object:
        self.log_effect("no answer")
        raise Unanswered


class Refusal(Fault):
    """A correct request is refused."""

    name = "refuse"
    summary = "answers an attach or detach (PARAMETER as for no-answer) with an error"
    default = "detach"

    def install(self, components: Components) -> None:
        """Replaces the attach or detach of the trigger."""
        around_event(components, parse_trigger(self, EVENTS), self._refuse)

    def _refuse(self, method: Method, params: Params) -> object:
        self.log_effect("an error is answered")
        raise invalid_params(errno.EBUSY)


class EmptyPromise(Fault):
    """The answer is success, but nothing was done; the RPC's list of attached disks shows it."""

    name = "do-nothing"
    summary = "answers an attach or detach (PARAMETER as for no-answer) with success and does nothing"
    default = "detach"

    def install(self, components: Components) -> None:
        """Replaces the attach or detach of the trigger."""
        around_event(components, parse_trigger(self, EVENTS), self._pretend)

    def _pretend(self, method: Method, params: Params) -> object:
        self.log_effect("success is answered, nothing is done")
        return 0 if params.peek("bdev_name") else True


class WrongNumber(Fault):
    """The answer to an attach names another slot than the one that the disk is in."""

    name = "wrong-answer"
    summary = "answers an attach (PARAMETER: attach, or attach@2) with a target number that is not the one it used"
    default = "attach"

    def install(self, components: Components) -> None:
        """Wraps the attach of the trigger."""
        around_event(components, parse_trigger(self, ("attach",)), self._misstate)

    def _misstate(self, method: Method, params: Params) -> object:
        number = method(params)
        assert isinstance(number, int)
        self.log_effect(f"{number + 1} is answered instead of {number}")
        return number + 1


class Silence(Fault):
    """The RPC seems busy, while the disks are served."""

    name = "rpc-silent"
    summary = "answers no RPC for PARAMETER seconds after the first attach; the disks are served meanwhile"
    default = "4"

    def install(self, components: Components) -> None:
        """Wraps all methods."""
        self._components, self._seconds = components, whole_number(self)
        self._is_silent = False
        self._kept: list[Callable[[], None]] = []
        for name in components.dispatcher.names(current=False):
            components.dispatcher.wrap(name, self._keep)
        around_event(components, Trigger("attach", 1), self._fall_silent)

    def _keep(self, method: Method, params: Params) -> object:
        if not self._is_silent:
            return method(params)
        postponed = Postponed()
        self._kept.append(lambda: postponed.settle(lambda: method(params)))
        raise postponed

    def _fall_silent(self, method: Method, params: Params) -> object:
        number = method(params)
        self.log_effect(f"no RPC is answered for {self._seconds} s")
        self._is_silent = True
        after(self._components.loop, self._seconds, self._answer_again)
        return number

    def _answer_again(self) -> None:
        self._is_silent = False
        kept, self._kept = self._kept, []
        for answer in kept:
            answer()


FAULTS: tuple[type[Fault], ...] = (NoAnswer, Refusal, EmptyPromise, WrongNumber, Silence)
