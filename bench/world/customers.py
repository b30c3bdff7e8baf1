"""Customers: people with several devices, known by ids that link them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.world.records import LAP, Record

if TYPE_CHECKING:
    from random import Random

    from bench.world.tenants import Tenant

_USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/131.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) Version/18.1 Safari/605.1",
    "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) Safari/604.1",
)
_DEVICE_TYPES = ("mobile", "desktop", "mobile", "desktop", "tablet")
_PLACES = ("DE-BE", "DE-BY", "FR-IDF", "GB-LND", "US-NY", "US-CA", "JP-13", "CH-ZH")


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a customer."""

    device_id: str
    user_agent: str
    device_type: str
    hashed_ip: str
    signed_in: bool = True
    """Whether its events name the customer. If not, they name the device."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A person. On the first device the person is logged in; further ones are linked only by address and place."""

    customer_id: str
    user_id: str
    hashed_email: str
    geo: str
    consent: Record
    devices: tuple[Device, ...]

    def known_as(self, device: int) -> str:
        """The customer id of an event from this device."""
        used = self.devices[device]
        return self.customer_id if used.signed_in else used.device_id

    def identifiers(self, device: int) -> dict[str, str]:
        """The identifiers an event from this device carries."""
        used = self.devices[device]
        found = {
            "device_id": used.device_id,
            "hashed_ip": used.hashed_ip,
            "user_agent": used.user_agent,
            "geo": self.geo,
        }
        if device == 0:
            found |= {"user_id": self.user_id, "hashed_email": self.hashed_email}
        return found


def make_customer(tenant: Tenant, number: int, rng: Random, signed_out_share: float = 0.0) -> Customer:
    """Customer `number` of a tenant, new in each lap; `signed_out_share` of the devices but the first never sign in."""
    seed = f"{tenant.tenant_id}/{tenant.run}/{number}"
    home_ip = _digest(f"ip/{seed}")
    devices = []
    for index in range(rng.choices((1, 2, 3, 4), (45, 35, 15, 5))[0]):
        kind = rng.randrange(len(_USER_AGENTS))
        address = home_ip if rng.random() < 0.8 else _digest(f"ip/{seed}/{index}")
        signed_in = not (index and signed_out_share and rng.random() < signed_out_share)
        name = f"d{number:x}.{index}-{LAP}"
        devices.append(Device(name, _USER_AGENTS[kind], _DEVICE_TYPES[kind], address, signed_in))
    allowed = rng.random()
    return Customer(
        customer_id=f"c-{tenant.run}-{number:06d}-{LAP}",
        user_id=f"u-{number:06d}-{LAP}",
        hashed_email=_digest(f"mail/{seed}"),
        geo=rng.choice(_PLACES),
        consent={"marketing": allowed < 0.8, "analytics": allowed < 0.92, "personalization": allowed < 0.7},
        devices=tuple(devices),
    )


def _digest(text: str) -> str:
    """A stand-in for a hashed identifier: 64 hexadecimal digits, as SHA-256 gives, the last four those of the lap."""
    return hashlib.sha256(text.encode()).hexdigest()[: -len(LAP)] + LAP
