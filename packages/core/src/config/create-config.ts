import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_MEMORY,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_PIN,
  PCI_ROM_ADDRESS,
  PCI_VENDOR_ID,
  type PciDevice,
} from '@vfiokit/pci';
import type { ConfigRegister } from '../extension.js';
import type { Quirks } from '../quirks.js';
import { BaseAddressRegisters } from './bars.js';
import { CommandRegister } from './command.js';
import { type CapabilityEntry, readConfigLayout } from './config-layout.js';
import type { RegisterHook } from './config-owner.js';
import type { ConfigEffects } from './effects.js';
import { ownedRanges } from './owners.js';
import { VirtualConfig } from './virtual-config.js';

/** BAR 0 to 5 and the ROM's. */
const BASE_ADDRESSES = [
  ...Array.from({ length: 6 }, (_, bar) => PCI_BASE_ADDRESS_0 + 4 * bar),
  PCI_ROM_ADDRESS,
] as const;

/** What is asked of the function. */
export type ConfigFunction = Pick<
  PciDevice,
  'config' | 'resources' | 'vendor' | 'device' | 'isVirtfn' | 'noCommandMemory'
>;

/** What decides the view that an open device gives of its configuration space. */
export interface CreateConfigOptions {
  readonly pdev: ConfigFunction;
  readonly effects: ConfigEffects;
  /** Show no interrupt pin: INTx is not built in, hidden for this device, or the function has no line. */
  readonly hidePin: boolean;
  /** Set DisINTx again when BARs are restored. */
  readonly nointx: boolean;
  readonly firmwareRomSize: number;
  readonly quirks: Quirks;
  /** What derived drivers answer for. */
  readonly registers: readonly ConfigRegister[];
}

/** The configuration space of an open device. */
export interface DeviceConfig {
  readonly space: VirtualConfig;
  readonly vconfig: Uint8Array;
  readonly command: CommandRegister;
  readonly capabilities: readonly CapabilityEntry[];
}

/**
 * Builds the virtual configuration space of a function that is being opened (vfio_pci_config.c: vfio_config_init).
 *
 * @returns the space, or the negated errno of a configuration read that failed.
 */
export function createConfig(options: CreateConfigOptions): DeviceConfig | number {
  const { pdev, effects, quirks, registers } = options;
  const layout = readConfigLayout(pdev.config);
  if (typeof layout === 'number') return layout;
  const { vconfig, capabilities } = layout;
  const view = new DataView(vconfig.buffer, vconfig.byteOffset);
  const rbar = BASE_ADDRESSES.map((at) => view.getUint32(at, true));
  if (pdev.isVirtfn) {
    // A VF reads all-ones here, and its pin has to be 0 (SR-IOV 1.1 3.4.1).
    view.setUint16(PCI_VENDOR_ID, pdev.vendor, true);
    view.setUint16(PCI_DEVICE_ID, pdev.device, true);
  }
  if (pdev.isVirtfn || options.hidePin) vconfig[PCI_INTERRUPT_PIN] = 0;
  if (pdev.noCommandMemory)
    view.setUint16(PCI_COMMAND, view.getUint16(PCI_COMMAND, true) | PCI_COMMAND_MEMORY, true);

  const command = new CommandRegister({
    config: pdev.config,
    vconfig,
    effects,
    rbar,
    noCommandMemory: pdev.noCommandMemory,
    isVirtfn: pdev.isVirtfn,
    nointx: options.nointx,
  });
  const bars = new BaseAddressRegisters({
    vconfig,
    resources: pdev.resources,
    firmwareRomSize: options.firmwareRomSize,
    checkKind: quirks.ioBarKeepsNext,
  });
  const ranges = ownedRanges({
    layout,
    config: pdev.config,
    effects,
    header: headerHook(command, bars),
    quirks,
  });
  const space = new VirtualConfig({ config: pdev.config, vconfig, ranges, registers });
  return { space, vconfig, command, capabilities };
}

/** The header has two kinds of registers that do more than hold bits. */
function headerHook(command: CommandRegister, bars: BaseAddressRegisters): RegisterHook {
  const of = (position: number) => ((position & ~3) === PCI_COMMAND ? command : bars);
  return {
    reads: (position) => command.reads(position) || bars.reads(position),
    read: (position, size, plain) => of(position).read(position, size, plain),
    writes: (position) => command.writes(position) || bars.writes(position),
    write: (position, size, value, plain) => of(position).write(position, size, value, plain),
  };
}
