import { DirtyBitmap } from '@vfiokit/iommu';
import { nanoseconds, times } from './measure.js';

const PAGE = 4096;
const TIB = 2 ** 40;
const PAGES = TIB / PAGE;
const BYTES = PAGES / 8;
/** Bytes that are reported at a time. */
const PIECE = 65536;

/** A bitmap that has been written to here and there: one page in a thousand. */
function written(): DirtyBitmap {
  const bitmap = new DirtyBitmap(PAGE);
  for (let page = 0; page < PAGES; page += 1000) bitmap.set(page * PAGE, (page + 1) * PAGE);
  return bitmap;
}

/** The obvious way: the numbers of the pages. */
function pageNumbers(): Set<number> {
  const pages = new Set<number>();
  for (let page = 0; page < PAGES; page += 1000) pages.add(page);
  return pages;
}

/** A terabyte at 4 KiB with one page in a thousand dirty: reported into a user's bitmap, and cleared. */
export function bench(report: (line: string) => void): void {
  const user = new Uint8Array(BYTES);
  const bitmap = nanoseconds(1, written, (subject) => {
    for (let at = 0; at < BYTES; at += PIECE) {
      const start = at * 8 * PAGE;
      subject.copyTo(start, start + PIECE * 8 * PAGE, user.subarray(at, at + PIECE));
    }
    subject.clear(0, TIB);
  });
  const numbers = nanoseconds(1, pageNumbers, (pages) => {
    for (const page of pages) user[page >>> 3]! |= 1 << (page & 7);
    pages.clear();
  });
  const idle = nanoseconds(
    1,
    () => new DirtyBitmap(PAGE),
    (subject) => {
      subject.copyTo(0, TIB, user);
      subject.clear(0, TIB);
    },
  );
  report(`report and clear 1 TiB, 1/1000 dirty  ${(bitmap / 1e6).toFixed(1)} ms [under 50 ms]`);
  report(`  a Set of page numbers               ${times(bitmap, numbers)} as long`);
  report(`  nothing dirty                       ${(idle / 1e6).toFixed(2)} ms`);
}
