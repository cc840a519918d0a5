"""The address of an NVMe controller: a transport id, in SPDK's terms and with its field names."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from hotplug_kit.domain.errors import SetupError

_PCI_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", re.IGNORECASE)
_SPELLING = {name.lower(): name for name in ("PCIe", "TCP", "RDMA", "IPv4", "IPv6")}
_DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
_MOST_NQN_BYTES = 223  # NVMe base specification, NVMe Qualified Names
_NVME_PORT = "4420"


def _spelled(value: object) -> object:
    """SPDK reads these words in any case, and so does this."""
    return _SPELLING.get(value.lower(), value) if isinstance(value, str) else value


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("expected a text; put it in quotes, because YAML reads 0000:01:00.0 as a number")
    return value.strip()


def _port(value: object) -> object:
    number = str(value)
    if isinstance(value, bool) or not number.isdecimal() or not 0 < int(number) < 65536:
        raise ValueError("expected a port, 1 to 65535")
    return number


class TransportId(BaseModel):
    """An NVMe controller: a PCIe device by its address, or a subsystem that an NVMe-oF target offers over TCP or RDMA.

    `traddr` is a PCI address (`0000:01:00.0`) or an IP address. `adrfam` follows from the address unless it is given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trtype: Annotated[Literal["PCIe", "TCP", "RDMA"], BeforeValidator(_spelled)]
    traddr: Annotated[str, BeforeValidator(_text)]
    adrfam: Annotated[Literal["IPv4", "IPv6"] | None, BeforeValidator(_spelled)] = None
    trsvcid: Annotated[str | None, BeforeValidator(_port)] = None
    subnqn: Annotated[str | None, BeforeValidator(_text)] = None

    @model_validator(mode="before")
    @classmethod
    def _whole_address(cls, values: object) -> object:
        """Fills in what follows from the rest, so that two names of one device are equal."""
        if not isinstance(values, Mapping) or not isinstance(values.get("traddr"), str):
            return values
        filled, address = dict(values), str(values["traddr"]).strip()
        if _spelled(filled.get("trtype")) == "PCIe":
            if match := _PCI_ADDRESS.fullmatch(address):
                filled["traddr"] = f"{match[1] or '0000'}:{match[2]}".lower()
            return filled
        filled.setdefault("trsvcid", _NVME_PORT)
        if filled.get("adrfam") is None and _is_ip(address):
            filled["adrfam"] = f"IPv{ipaddress.ip_address(address).version}"
        return filled

    @model_validator(mode="after")
    def _fits_its_transport(self) -> Self:
        if self.trtype == "PCIe":
            self._fits_pcie()
        else:
            self._fits_fabrics()
        return self

    def _fits_pcie(self) -> None:
        if not _PCI_ADDRESS.fullmatch(self.traddr):
            raise ValueError(f"traddr '{self.traddr}' is not a PCI address such as 0000:01:00.0")
        if given := [name for name in ("adrfam", "trsvcid", "subnqn") if getattr(self, name) is not None]:
            raise ValueError(f"a PCIe device has only trtype and traddr; leave out {' and '.join(given)}")

    def _fits_fabrics(self) -> None:
        if not _is_ip(self.traddr):
            raise ValueError(f"traddr '{self.traddr}' is not an IP address such as 192.168.0.1")
        if self.adrfam != f"IPv{ipaddress.ip_address(self.traddr).version}":
            raise ValueError(
                f"traddr '{self.traddr}' is not an {self.adrfam} address; correct one of them or leave out adrfam"
            )
        if not self.subnqn:
            raise ValueError(f"trtype {self.trtype} needs subnqn, the name of the subsystem that the target offers")
        if not self.subnqn.startswith("nqn.") or len(self.subnqn.encode()) > _MOST_NQN_BYTES:
            raise ValueError(
                f"subnqn '{self.subnqn}' is not an NVMe qualified name: such a name begins with 'nqn.' and has at "
                f"most {_MOST_NQN_BYTES} bytes"
            )
        if self.subnqn == _DISCOVERY:
            raise ValueError("subnqn names the discovery service, which has no disks; give a subsystem that it lists")

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> "TransportId":
        """Makes a transport id from its fields; raises `SetupError` that says what is wrong."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            said = first["msg"].removeprefix("Value error, ")
            named = f"{field} is {first['input']!r}: {said}" if field else said
            raise SetupError(f"{dict(fields)} is not an NVMe transport id; {named}.") from None

    @property
    def fields(self) -> dict[str, str]:
        """The fields that are set, in the form of SPDK's RPC."""
        return {name: str(value) for name, value in self.model_dump(exclude_none=True).items()}

    @property
    def is_local(self) -> bool:
        """Whether this is a device of this machine."""
        return self.trtype == "PCIe"

    def __str__(self) -> str:
        if self.trtype == "PCIe":
            return f"PCIe device {self.traddr}"
        host = f"[{self.traddr}]" if self.adrfam == "IPv6" else self.traddr
        return f"subsystem {self.subnqn} at {self.trtype} {host}:{self.trsvcid}"


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
