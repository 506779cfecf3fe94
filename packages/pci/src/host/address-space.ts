import { PCI_BASE_ADDRESS_0, PCI_SRIOV_BAR } from '../regs/index.js';
import type { Bar } from '../silicon/bar.js';
import { romRegister } from '../silicon/base-address.js';
import type { PciFunction } from '../silicon/pci-function.js';
import {
  barResource,
  NO_RESOURCE,
  PCI_IOV_RESOURCES,
  PCI_ROM_RESOURCE,
  type PciResource,
  romResource,
} from './pci-resource.js';

/** What there is of a kind of addresses. */
interface Window {
  next: bigint;
}

/** What would crowd out the rest below 4 GiB. */
const LARGE = 0x1000_0000;

/**
 * Gives addresses to BARs and ROMs that have none, as firmware does: each naturally aligned, one after the other.
 *
 * It knows nothing of bridge windows, nor of addresses that other functions brought along.
 */
export class AddressSpace {
  readonly #ports: Window = { next: 0x1000n };
  readonly #memory: Window = { next: 0xc000_0000n };
  readonly #high: Window = { next: 0x40_0000_0000n };

  /**
   * The resources of a function: 0 to 5 BARs, 6 the ROM, and of a physical function 7 to 12 the windows of all its VFs.
   * Given ones count; without them they follow from the registers, which are written where they have no address.
   */
  resources(silicon: PciFunction, given: readonly PciResource[] | undefined): PciResource[] {
    const { sriov } = silicon;
    const count = sriov === undefined ? PCI_IOV_RESOURCES : PCI_IOV_RESOURCES + 6;
    if (given !== undefined)
      return Array.from({ length: count }, (_, index) => given[index] ?? NO_RESOURCE);
    const resources = Array.from({ length: count }, () => NO_RESOURCE);
    for (const bar of silicon.bars)
      if (bar !== undefined)
        resources[bar.index] = this.#bar(silicon, bar, PCI_BASE_ADDRESS_0 + 4 * bar.index, 1);
    if (silicon.romSize > 0) resources[PCI_ROM_RESOURCE] = this.#rom(silicon);
    for (const bar of silicon.vfBars)
      if (bar !== undefined && sriov !== undefined)
        resources[PCI_IOV_RESOURCES + bar.index] = this.#bar(
          silicon,
          bar,
          sriov.at + PCI_SRIOV_BAR + 4 * bar.index,
          sriov.totalVfs,
        );
    return resources;
  }

  #bar(silicon: PciFunction, bar: Bar, register: number, windows: number): PciResource {
    let address = bar.address(silicon.config);
    if (address === 0n) {
      const isHigh = bar.is64Bit && (bar.prefetchable || bar.size * windows > LARGE);
      const window = bar.kind === 'io' ? this.#ports : isHigh ? this.#high : this.#memory;
      address = take(window, bar.size, windows);
      writeAddress(silicon, register, address, bar.is64Bit);
    }
    return barResource(bar, address, windows);
  }

  #rom(silicon: PciFunction): PciResource {
    const register = romRegister(silicon.config.bytes);
    let address = BigInt((silicon.config.peek32(register) & ~(silicon.romSize - 1)) >>> 0);
    if (address === 0n) {
      address = take(this.#memory, silicon.romSize, 1);
      writeAddress(silicon, register, address, false);
    }
    return romResource(silicon.romSize, address);
  }
}

function take(window: Window, size: number, count: number): bigint {
  const unit = BigInt(size);
  const at = ((window.next + unit - 1n) / unit) * unit;
  window.next = at + unit * BigInt(count);
  return at;
}

/** As firmware does it: through the register, so that its type bits stay. */
function writeAddress(silicon: PciFunction, at: number, address: bigint, isWide: boolean): void {
  silicon.config.write(at, 4, Number(address & 0xffffffffn));
  if (isWide) silicon.config.write(at + 4, 4, Number(address >> 32n));
}
