import { StoredConfig } from '@vfiokit/testing';
import { EventFd, Process } from '@vfiokit/uapi';
import { type InterruptDevice, Interrupts } from '../../src/interrupts/interrupts.js';
import { Notifier } from '../../src/interrupts/notifier.js';

export const NONE = 1;
export const BOOL = 2;
export const EVENTFD = 4;
export const MASK = 8;
export const UNMASK = 16;
export const TRIGGER = 32;

export interface StubOptions {
  readonly canMaskAtDevice?: boolean;
  readonly nointx?: boolean;
  readonly isPcie?: boolean;
  readonly pin?: number;
  readonly irq?: number;
  readonly msixDynamic?: boolean;
  /** Vectors that the host has. */
  readonly vectors?: number;
  readonly vectorBlockAtomic?: boolean;
  readonly fewVectorsFail?: boolean;
}

/** A function with 8 MSI and 16 MSI-X vectors, its host, and a process that uses it. */
export class StubDevice {
  readonly hw = new StoredConfig(256);
  readonly process = new Process();
  /** What the host was asked for, in order. */
  readonly log: string[] = [];
  readonly interrupts: Interrupts;
  readonly err = new Notifier();
  readonly req = new Notifier();
  virqDisabled = false;
  msiQmax = 0;
  /** What requestIrq answers. */
  requestResult = 0;
  /** What the next allocIrqVectors answers; as many as there are if undefined. */
  allocResult: number | undefined;
  readonly vectorHandlers = new Map<number, () => void>();
  #lineHandler: (() => boolean) | undefined;
  #allocated = new Set<number>();

  constructor(options: StubOptions = {}) {
    this.hw.set(0x04, 2, 0x0002);
    this.hw.set(0x50, 1, 0x05).set(0x52, 2, 0x0086);
    this.hw.set(0x70, 1, 0x11).set(0x72, 2, 15);
    const vconfig = new Uint8Array(256);
    vconfig[0x3d] = options.pin ?? 1;
    const vectors = options.vectors ?? 2048;
    const self = this;
    const device: InterruptDevice = {
      pdev: {
        config: this.hw,
        isPcie: options.isPcie ?? true,
        irq: options.irq ?? 11,
        msixDynamic: options.msixDynamic ?? false,
        findCapability: (id) => ({ 5: 0x50, 17: 0x70 })[id] ?? 0,
        intx: (enable) => {
          const command = this.hw.read(4, 2);
          this.hw.set(4, 2, enable ? command & ~0x400 : command | 0x400);
        },
        requestIrq: (handler, { shared }) => {
          this.log.push(shared ? 'request shared' : 'request exclusive');
          if (this.requestResult === 0) this.#lineHandler = handler;
          return this.requestResult;
        },
        freeIrq: () => {
          this.log.push('free');
          this.#lineHandler = undefined;
        },
        disableIrq: () => {
          this.log.push('disable line');
        },
        enableIrq: () => {
          this.log.push('enable line');
        },
        allocIrqVectors: (kind, count) => {
          this.log.push(`alloc ${kind} ${count}`);
          if (count === 0) return -34;
          const got = this.allocResult ?? Math.min(count, vectors);
          for (let i = 0; i < got; i += 1) this.#allocated.add(i);
          if (got > 0) this.hw.set(4, 2, this.hw.read(4, 2) | 0x400);
          return got;
        },
        freeIrqVectors: () => {
          this.log.push('free vectors');
          this.#allocated.clear();
          this.hw.set(4, 2, this.hw.read(4, 2) & ~0x400);
        },
        irqVectorAllocated: (vector) => this.#allocated.has(vector),
        allocMsixVectorAt: (vector) => {
          this.log.push(`alloc at ${vector}`);
          this.#allocated.add(vector);
          return 0;
        },
        connectVector: (vector, handler) => {
          this.vectorHandlers.set(vector, handler);
          return 0;
        },
        disconnectVector: (vector) => {
          this.vectorHandlers.delete(vector);
        },
        rewriteMsixMessage: (vector) => {
          this.log.push(`message ${vector}`);
        },
      },
      vconfig,
      err: this.err,
      req: this.req,
      canMaskAtDevice: options.canMaskAtDevice ?? true,
      nointx: options.nointx ?? false,
      get virqDisabled() {
        return self.virqDisabled;
      },
      vectorBlockAtomic: options.vectorBlockAtomic ?? false,
      fewVectorsFail: options.fewVectorsFail ?? false,
      msiEnabled: (count) => {
        this.msiQmax = Math.ceil(Math.log2(count));
      },
      withMemory: (run) => {
        const command = this.hw.read(4, 2);
        this.hw.set(4, 2, command | 2);
        const result = run();
        this.hw.set(4, 2, command);
        return result;
      },
    };
    this.interrupts = new Interrupts(device);
  }

  /** An eventfd and its number. */
  eventfd(): { fd: number; event: EventFd } {
    const event = new EventFd();
    return { fd: this.process.fds.install(event, 100), event };
  }

  /** SET_IRQS with as much argsz as it takes. */
  set(index: number, flags: number, start: number, data: number | readonly number[]): number {
    const values = typeof data === 'number' ? [] : data;
    const width = flags & EVENTFD ? 4 : flags & BOOL ? 1 : 0;
    const count = typeof data === 'number' ? data : data.length;
    const bytes = new Uint8Array(20 + values.length * width);
    const view = new DataView(bytes.buffer);
    [bytes.length, flags, index, start, count].forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    values.forEach((value, i) => {
      if (width === 4) view.setInt32(20 + 4 * i, value, true);
      else bytes[20 + i] = value;
    });
    return this.interrupts.set(bytes, this.process);
  }

  /** SET_IRQS with every byte as the caller says. */
  raw(words: readonly number[], tail: readonly number[] = []): number {
    const bytes = new Uint8Array(words.length * 4 + tail.length);
    const view = new DataView(bytes.buffer);
    words.forEach((word, i) => {
      view.setUint32(4 * i, word >>> 0, true);
    });
    bytes.set(tail, words.length * 4);
    return this.interrupts.set(bytes, this.process);
  }

  /** The device asserts or releases its line; true if somebody took it. */
  assert(level: boolean): boolean {
    const status = this.hw.read(6, 2);
    this.hw.set(6, 2, level ? status | 8 : status & ~8);
    return level && (this.#lineHandler?.() ?? false);
  }

  /** The line rings for a neighbour. */
  ring(): boolean {
    return this.#lineHandler?.() ?? false;
  }

  get intxDisabled(): boolean {
    return (this.hw.read(4, 2) & 0x400) !== 0;
  }
}
