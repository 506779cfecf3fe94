// A platform hook: a machine that counts who uses its functions and tells every user so, whichever driver they have.
import { openFunction, PLATFORM_HOOKS, type PlatformHook } from '@vfiokit/core';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { DeviceClient, EBUSY, type InfoCapability } from '@vfiokit/uapi';

/** An id that no capability of vfio.h has. */
const CAP_METER = 0x7001;

/** Lets so many functions be open at once, and shows how many are. */
class Meter implements PlatformHook {
  readonly #open = new Set<PciDevice>();

  constructor(private readonly limit: number) {}

  open(pdev: PciDevice): number {
    if (this.#open.size >= this.limit) return -EBUSY;
    this.#open.add(pdev);
    return 0;
  }

  close(pdev: PciDevice): void {
    this.#open.delete(pdev);
  }

  /** Behind the core's own answer to VFIO_DEVICE_GET_INFO. */
  infoCapabilities(): readonly InfoCapability[] {
    return [{ id: CAP_METER, version: 1, body: Uint8Array.of(this.#open.size, this.limit) }];
  }
}

export function main(print: (line: string) => void): void {
  const meter = new Meter(2);
  const topology = new PciTopology();
  const open = (slot: number) =>
    openFunction(
      topology.add(`0000:00:0${slot}.0`, {
        config: Uint8Array.of(0x34, 0x12, slot, 0),
        configSize: 256,
      }),
      { register: (container) => container.register(PLATFORM_HOOKS, { useValue: meter }) },
    );
  using first = open(3);
  using second = open(4);
  for (const { device, process } of [first, second]) {
    const [capability] = new DeviceClient(device, process).info().capabilities;
    const [used, limit] = capability!.body;
    print(
      `${device.name}: capability 0x${capability!.id.toString(16)}: ${used} of ${limit} in use`,
    );
  }
  try {
    open(5);
  } catch (error) {
    print(`${(error as Error).message}`);
  }
}
