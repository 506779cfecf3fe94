import { PCI_ROM_ADDRESS_ENABLE, PCI_ROM_ADDRESS_MASK } from '../regs/index.js';
import type { ConfigAccess } from '../silicon/config-access.js';
import type { RegisterBlock } from '../silicon/register-block.js';

/** An expansion ROM that is mapped: what to read, and how much of it is images. */
export interface RomImage {
  readonly block: RegisterBlock;
  /** Bytes up to the end of the last valid image. */
  readonly length: number;
}

const SIGNATURE = 0xaa55;
/** "PCIR", low byte first. */
const DATA_STRUCTURE = 0x52494350;
const DATA_POINTER = 0x18;
const DATA_LENGTH = 0x0a;
const IMAGE_LENGTH = 0x10;
const INDICATOR = 0x15;
const SHORTEST_DATA = 0x18;

/**
 * How many bytes of a window hold valid ROM images; 0 for none (drivers/pci/rom.c: pci_get_rom_size).
 *
 * Images follow one another in units of 512 bytes, until one says that it is the last or the next makes no sense.
 */
export function romImageLength(rom: RegisterBlock, window: number): number {
  let image = 0;
  for (;;) {
    const data = dataStructure(rom, image, window);
    if (data === undefined) break;
    const length = rom.read(data + IMAGE_LENGTH, 2) * 512;
    const isLast = (rom.read(data + INDICATOR, 1) & 0x80) !== 0;
    image += length;
    if (isLast || length === 0) break;
  }
  return Math.min(image, window);
}

/** Where the data structure of an image is; undefined if the image's header is not valid. */
function dataStructure(rom: RegisterBlock, image: number, window: number): number | undefined {
  if (image + DATA_POINTER + 2 > window || rom.read(image, 2) !== SIGNATURE) return undefined;
  const pointer = rom.read(image + DATA_POINTER, 2);
  const data = image + pointer;
  if (pointer % 4 !== 0 || data + SHORTEST_DATA > window) return undefined;
  if (rom.read(data, 4) !== DATA_STRUCTURE) return undefined;
  const length = rom.read(data + DATA_LENGTH, 2);
  if (length < SHORTEST_DATA || length === 0xffff || data + length > window) return undefined;
  return data;
}

/** Writes the ROM's address with decoding enabled (pci_enable_rom). */
export function enableRom(config: ConfigAccess, register: number, address: bigint): void {
  const typeBits = config.read(register, 4) & ~PCI_ROM_ADDRESS_MASK;
  const low = Number(address & 0xffffffffn) & PCI_ROM_ADDRESS_MASK;
  config.write(register, 4, (low | typeBits | PCI_ROM_ADDRESS_ENABLE) >>> 0);
}

/** Ends the decoding (pci_disable_rom). */
export function disableRom(config: ConfigAccess, register: number): void {
  const value = config.read(register, 4);
  config.write(register, 4, (value & ~PCI_ROM_ADDRESS_ENABLE) >>> 0);
}
