// A server in a process of its own: `server.js PATH SPIN`. A write to MARK starts and ends a stretch; when the client goes, the
// server says how often garbage was collected in it.
import { PerformanceObserver } from 'node:perf_hooks';
import type { VfioDevice } from '@vfiokit/uapi';
import { openTransport, VfioUserServer } from '@vfiokit/vfio-user';

const SIZE = 1 << 20;
const MARK = SIZE - 4;
const SPAN = 2 ** 40;
const GET_INFO = 0x3b6b;
const GET_REGION_INFO = 0x3b6c;
const GET_IRQ_INFO = 0x3b6d;

/** A device that is nothing but memory: what is measured is the way to it. */
class Memory implements VfioDevice {
  readonly kind = 'device';
  readonly name = 'memory';
  readonly #bytes = new Uint8Array(SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly marks: number[] = [];

  read(_region: number, offset: number, size: number): number {
    return size === 4 ? this.#view.getUint32(offset, true) : this.#view.getUint8(offset);
  }

  write(_region: number, offset: number, size: number, value: number): number {
    if (size === 4) this.#view.setUint32(offset, value, true);
    else this.#view.setUint8(offset, value);
    if (offset === MARK) this.marks.push(performance.now());
    return size;
  }

  pread(into: Uint8Array, position: number): number {
    const offset = position % SPAN;
    into.set(this.#bytes.subarray(offset, offset + into.length));
    return into.length;
  }

  pwrite(from: Uint8Array, position: number): number {
    this.#bytes.set(from, position % SPAN);
    return from.length;
  }

  mmap(): number {
    return -22;
  }

  ioctl(command: number, argument: unknown): number {
    if (!(argument instanceof Uint8Array)) return 0;
    const view = new DataView(argument.buffer, argument.byteOffset);
    if (command === GET_INFO) {
      view.setUint32(4, 3, true);
      view.setUint32(8, 9, true);
      view.setUint32(12, 5, true);
    } else if (command === GET_REGION_INFO) {
      const index = view.getUint32(8, true);
      view.setUint32(4, 3, true);
      view.setBigUint64(16, BigInt(index === 0 ? SIZE : 256), true);
      view.setBigUint64(24, BigInt(index) * BigInt(SPAN), true);
    } else if (command === GET_IRQ_INFO) view.setUint32(12, 1, true);
    else return command === 0x3b75 ? -25 : 0;
    return 0;
  }

  close(): void {}
}

const device = new Memory();
const collections: number[] = [];
const observer = new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) collections.push(startTime);
});
observer.observe({ entryTypes: ['gc'] });
const [path, spin] = process.argv.slice(2);
await VfioUserServer.listen({
  device,
  transport: await openTransport({ spin: Number(spin) }),
  path: path!,
  onEvent: ({ kind }) => {
    // The observer hears of collections from the event loop.
    if (kind === 'detached') setTimeout(tell, 20);
  },
});
console.log('ready');

function tell(): void {
  const [start = 0, end = 0] = device.marks.splice(0);
  console.log(`collections ${collections.filter((at) => at >= start && at <= end).length}`);
}
