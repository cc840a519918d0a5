"""RPC methods about controllers and their targets: vhost_* and scsi_*."""

import errno
import os
from collections.abc import Callable

from embedded_vhost.controllers.controller import Controller, ControllerError
from embedded_vhost.controllers.registry import ControllerRegistry
from embedded_vhost.core_mask import parse_core_mask
from embedded_vhost.rpc.dispatcher import Dispatcher, Method
from embedded_vhost.rpc.errors import INTERNAL_ERROR, RpcError, invalid_params
from embedded_vhost.rpc.params import Params


class VhostMethods:
    """Translates between RPC and the controllers."""

    def __init__(self, controllers: ControllerRegistry) -> None:
        self._controllers = controllers

    def register(self, dispatcher: Dispatcher) -> None:
        """Registers all methods."""
        methods: dict[str, Callable[[Params], object]] = {
            "vhost_create_scsi_controller": self._create,
            "vhost_delete_controller": self._delete,
            "vhost_get_controllers": self._get,
            "vhost_scsi_controller_add_target": self._add_target,
            "vhost_scsi_controller_remove_target": self._remove_target,
            "scsi_get_devices": self._scsi_devices,
        }
        for name, method in methods.items():
            dispatcher.add(name, _invalid_params(method))

    def _create(self, params: Params) -> object:
        name, mask = params.text("ctrlr"), params.optional_text("cpumask")
        params.ignore("delay")
        params.finish()
        try:
            cpumask = None if mask is None else parse_core_mask(mask)
        except ValueError as exc:
            raise ControllerError(errno.EINVAL, f"cpumask {mask} of vhost controller {name}: {exc}") from exc
        self._controllers.create(name, cpumask)
        return True

    def _delete(self, params: Params) -> object:
        name = params.text("ctrlr")
        params.finish()
        self._controllers.delete(name)
        return True

    def _get(self, params: Params) -> object:
        name = params.optional_text("name")
        params.finish()
        if name is None:
            return [self._describe(controller) for controller in self._controllers.all()]
        try:
            return [self._describe(self._controllers.get(name))]
        except ControllerError as exc:
            raise RpcError(INTERNAL_ERROR, os.strerror(exc.errno)) from exc

    def _add_target(self, params: Params) -> object:
        name, number, bdev = params.text("ctrlr"), params.number("scsi_target_num"), params.text("bdev_name")
        params.finish()
        return self._controllers.add_target(name, number, bdev)

    def _remove_target(self, params: Params) -> object:
        name, number = params.text("ctrlr"), params.number("scsi_target_num")
        params.finish()
        self._controllers.remove_target(name, number)
        return True

    def _scsi_devices(self, params: Params) -> object:
        params.finish()
        return [{"id": target.id, "device_name": target.name} for target in self._controllers.targets()]

    def _describe(self, controller: Controller) -> dict[str, object]:
        sessions = [
            {
                "vid": session.vid,
                "id": session.id,
                "name": session.name,
                "started": session.started,
                "max_queues": session.vring_count,
                "inflight_task_cnt": controller.inflight_requests(session),
            }
            for session in controller.sessions
        ]
        targets = [
            {
                "scsi_dev_num": target.number,
                "id": target.id,
                "target_name": target.name,
                "luns": [{"id": 0, "bdev_name": target.unit.bdev.name}],
            }
            for target in self._controllers.targets_of(controller)
        ]
        return {
            "ctrlr": controller.name,
            "cpumask": f"0x{controller.cpumask:x}",
            "delay_base_us": 0,
            "iops_threshold": 60000,
            "socket": str(controller.path),
            "sessions": sessions,
            "backend_specific": {"scsi": targets},
        }


def _invalid_params(method: Method) -> Method:
    def call(params: Params) -> object:
        try:
            return method(params)
        except ControllerError as exc:
            raise invalid_params(exc.errno) from exc

    return call
