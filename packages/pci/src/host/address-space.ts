import { PCI_BASE_ADDRESS_0 } from '../regs/index.js';
import { romRegister } from '../silicon/base-address.js';
import type { PciFunction } from '../silicon/pci-function.js';
import {
  barResource,
  NO_RESOURCE,
  PCI_ROM_RESOURCE,
  PciResource,
  romResource,
} from './pci-resource.js';

/** Where firmware puts what has no address: I/O ports, memory below and above 4 GiB. */
const IO_WINDOW = 0x1000n;
const MEMORY_WINDOW = 0xc000_0000n;
const HIGH_WINDOW = 0x40_0000_0000n;
/** What would crowd out the rest below 4 GiB. */
const LARGE = 0x1000_0000;

/**
 * Gives addresses to BARs and ROMs that have none, as firmware does: each naturally aligned, one after the other.
 *
 * It does not know of bridge windows, and not of addresses that other functions brought along.
 */
export class AddressSpace {
  #io = IO_WINDOW;
  #memory = MEMORY_WINDOW;
  #high = HIGH_WINDOW;

  /** The seven resources of a function: given ones, or by its registers, which are written where they had no address. */
  resources(silicon: PciFunction, given: readonly PciResource[] | undefined): PciResource[] {
    if (given !== undefined)
      return Array.from({ length: 7 }, (_, index) => given[index] ?? NO_RESOURCE);
    const resources = Array.from({ length: 7 }, () => NO_RESOURCE);
    for (const bar of silicon.bars) {
      if (bar === undefined) continue;
      let address = bar.address(silicon.config);
      if (address === 0n) {
        address = this.#take(
          bar.kind,
          bar.size,
          bar.is64Bit && (bar.prefetchable || bar.size > LARGE),
        );
        writeAddress(silicon, PCI_BASE_ADDRESS_0 + 4 * bar.index, address, bar.is64Bit);
      }
      resources[bar.index] = barResource(bar, address);
    }
    if (silicon.romSize > 0) resources[PCI_ROM_RESOURCE] = this.#rom(silicon);
    return resources;
  }

  #rom(silicon: PciFunction): PciResource {
    const register = romRegister(silicon.config.bytes);
    const mask = ~(silicon.romSize - 1);
    let address = BigInt((silicon.config.peek32(register) & mask) >>> 0);
    if (address === 0n) {
      address = this.#take('memory', silicon.romSize, false);
      writeAddress(silicon, register, address, false);
    }
    return romResource(silicon.romSize, address);
  }

  #take(kind: 'memory' | 'io', size: number, high: boolean): bigint {
    const align = (from: bigint) => ((from + BigInt(size) - 1n) / BigInt(size)) * BigInt(size);
    if (kind === 'io') {
      const at = align(this.#io);
      this.#io = at + BigInt(size);
      return at;
    }
    if (high) {
      const at = align(this.#high);
      this.#high = at + BigInt(size);
      return at;
    }
    const at = align(this.#memory);
    this.#memory = at + BigInt(size);
    return at;
  }
}

/** As firmware does it: through the register, so that its type bits stay. */
function writeAddress(silicon: PciFunction, at: number, address: bigint, wide: boolean): void {
  silicon.config.write(at, 4, Number(address & 0xffffffffn));
  if (wide) silicon.config.write(at + 4, 4, Number(address >> 32n));
}
