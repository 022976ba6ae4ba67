"""What the differential tests play through: the scenarios of the reference plugins' own tests."""

from tests.interop.inventory.addresses import HOST_LOCAL, STATIC
from tests.interop.inventory.bridges import BRIDGE, PTP
from tests.interop.inventory.chained import (
    BANDWIDTH,
    LOOPBACK,
    SBR,
    TUNING,
    VRF,
)
from tests.interop.inventory.devices import HOST_DEVICE
from tests.interop.inventory.links import DUMMY, IPVLAN, MACVLAN, TAP, VLAN
from tests.interop.inventory.rules import FIREWALL, PORTMAP
from tests.interop.inventory.trial import Trial

INVENTORY: tuple[Trial, ...] = (
    *MACVLAN,
    *IPVLAN,
    *VLAN,
    *DUMMY,
    *TAP,
    *BRIDGE,
    *PTP,
    *HOST_DEVICE,
    *LOOPBACK,
    *TUNING,
    *BANDWIDTH,
    *PORTMAP,
    *SBR,
    *VRF,
    *FIREWALL,
    *STATIC,
    *HOST_LOCAL,
)
