import {
  DEVICE_OVERRIDES,
  type DeviceOverride,
  MIGRATION,
  OPEN_HOOKS,
  OPS_NAME,
  type OpenHook,
  type OpeningDevice,
  RESET_HOOKS,
  type Region,
  type ResetHooks,
  type VfioPciDriver,
} from '@vfiokit/core';
import type { Clock } from '@vfiokit/driver-model';
import type { PciDevice } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import type { DependencyContainer } from 'tsyringe';
import { LegacyBar0 } from './legacy-bar0.js';
import { LegacyRegisters } from './legacy-registers.js';
import { VirtioMigration } from './virtio-migration.js';
import { type AdminMember, adminMember, type NotifyAddress } from './virtio-pci.js';

const PCI_VENDOR_ID_REDHAT_QUMRANET = 0x1af4;
const NETWORK = 0x1041;
const BLOCK = 0x1042;
const BAR0 = 0;

/** The driver of virtio VFs (drivers/vfio/pci/virtio): plain, migratable, or transitional and perhaps migratable. */
export function virtioDriver(clock: Clock): VfioPciDriver {
  return {
    name: 'virtio_vfio_pci',
    ids: [NETWORK, BLOCK].map((device) => ({ vendor: PCI_VENDOR_ID_REDHAT_QUMRANET, device })),
    dmaBuf: false,
    probe(pdev, container) {
      const member = adminMember(pdev);
      const transitional = member !== undefined && canBeTransitional(pdev, member);
      const migratable = member?.hasDevParts === true;
      container.register(OPS_NAME, { useValue: opsName(transitional, migratable) });
      if (member === undefined) return;
      if (transitional) addTransitional(pdev, member, container);
      if (migratable)
        container.register(MIGRATION, {
          useValue: new VirtioMigration(pdev.name, member, clock),
        });
    },
  };
}

function opsName(transitional: boolean, migratable: boolean): string {
  if (transitional) return 'virtio-vfio-pci-trans-lm';
  return migratable ? 'virtio-vfio-pci-lm' : 'virtio-vfio-pci';
}

/** A network device with nothing in the way of a BAR 0 of ports. */
function canBeTransitional(pdev: PciDevice, member: AdminMember): boolean {
  return pdev.device === NETWORK && member.hasLegacyIo && pdev.resources[BAR0]!.length === 0;
}

function addTransitional(
  pdev: PciDevice,
  member: AdminMember,
  container: DependencyContainer,
): void {
  const notify = member.notifyAddress();
  if (typeof notify === 'number')
    throw VfioError.fromErrno(notify, `${pdev.name}: its PF does not say where notifications go`);
  if (notify === undefined)
    throw new VfioError(
      'ENOENT',
      `${pdev.name}: its PF knows no place in the VF for notifications`,
    );
  const device = new TransitionalDevice(member, notify);
  container.register(OPEN_HOOKS, { useValue: device });
  container.register(DEVICE_OVERRIDES, { useValue: device });
  container.register(RESET_HOOKS, { useValue: device });
}

/** A VF that looks like a legacy network device. */
export class TransitionalDevice implements OpenHook, DeviceOverride, ResetHooks {
  readonly #registers = new LegacyRegisters();

  constructor(
    private readonly member: AdminMember,
    private readonly notify: NotifyAddress,
  ) {}

  /** Without the BAR of notifications the device is of no use. */
  open(device: OpeningDevice): void {
    device.mapBar(this.notify.bar);
  }

  configRegisters() {
    return this.#registers.configRegisters;
  }

  region(index: number, next: Region, device: OpeningDevice): Region {
    if (index !== BAR0) return next;
    const { member, notify } = this;
    return new LegacyBar0({ device, member, notify, registers: this.#registers });
  }

  done(): void {
    this.#registers.reset();
  }
}
