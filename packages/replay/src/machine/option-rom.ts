import type { RecordedRom } from '../trace/trace.js';
import type { RecordedBytes } from './learned-block.js';
import { unhex } from './unhex.js';

/** Bytes of an option ROM that a trace's first line holds. */
const RECORDED = 4096;
const DATA_POINTER = 0x18;
const DATA_SIZE = 0x18;
/** "PCIR". */
const DATA_SIGNATURE = 0x52494350;

/** What an option ROM holds, as far as it was recorded; undefined without one. */
export function romContents(rom: RecordedRom | null | undefined): Uint8Array | undefined {
  if (rom === null || rom === undefined || rom.len === 0) return undefined;
  const contents = new Uint8Array(rom.len);
  contents.set(unhex(rom.hex));
  const view = new DataView(contents.buffer);
  const data = rom.len > RECORDED ? view.getUint16(DATA_POINTER, true) : 0;
  if (data >= RECORDED && data + DATA_SIZE <= rom.len) {
    // The kernel found images of this length, so the data structure that was not recorded has to say so.
    view.setUint32(data, DATA_SIGNATURE, true);
    view.setUint16(data + 0x0a, DATA_SIZE, true);
    view.setUint16(data + 0x10, rom.len / 512, true);
    contents[data + 0x15] = 0x80;
  }
  return contents;
}

/** Takes bytes over that were not recorded with the machine: what a read shows is known from then on. */
export function learnRom(contents: Uint8Array, { offset, hex }: RecordedBytes): void {
  const from = Math.max(offset, RECORDED);
  if (from < contents.length)
    contents.set(unhex(hex).subarray(from - offset, contents.length - offset), from);
}
