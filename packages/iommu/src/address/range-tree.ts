import type { AddressRange } from './address.js';

const FIRST_CAPACITY = 16;
/** What a row holds in doubles: where the range starts, where it ends, and what its start stands for. */
const ROW = 4;
const START = 0;
const END = 1;
const TARGET = 2;
/** What it holds in integers: the subtrees below and above, its priority, and the caller's flags. */
const LEFT = 0;
const RIGHT = 1;
const PRIORITY = 2;
const FLAGS = 3;
/** Xorshift: priorities only have to look random, and runs have to repeat. */
const SEED = 0x9e3779b9;

/**
 * Disjoint ranges of addresses, each with a target address, flags and one object: what a mapping is, in 56 bytes.
 *
 * A treap whose nodes are rows of two typed arrays, so that 65,535 mappings are a handful of objects to the garbage
 * collector, and a step of a search touches two places in memory. A row number (from 1; 0 is "none") stands for a range until it is removed. Every search is O(log n).
 */
export class RangeTree<T> {
  #spans = new Float64Array(FIRST_CAPACITY * ROW);
  #links = new Int32Array(FIRST_CAPACITY * ROW);
  #objects: (T | undefined)[] = [undefined];
  #root = 0;
  #count = 0;
  /** Rows that have ever been used. */
  #rows = 1;
  /** Removed rows, linked through LEFT. */
  #free = 0;
  #random = SEED;
  /** The row that answered last: DMA goes to the same range again and again. */
  #warm = 0;

  /** How many ranges there are. */
  get size(): number {
    return this.#count;
  }

  start(row: number): number {
    return this.#spans[row * ROW + START]!;
  }

  end(row: number): number {
    return this.#spans[row * ROW + END]!;
  }

  /** The address that the range's start stands for. */
  target(row: number): number {
    return this.#spans[row * ROW + TARGET]!;
  }

  flags(row: number): number {
    return this.#links[row * ROW + FLAGS]!;
  }

  object(row: number): T {
    return this.#objects[row] as T;
  }

  range(row: number): AddressRange {
    return { start: this.start(row), end: this.end(row) };
  }

  setTarget(row: number, target: number): void {
    this.#spans[row * ROW + TARGET] = target;
  }

  setFlags(row: number, flags: number): void {
    this.#links[row * ROW + FLAGS] = flags;
  }

  setObject(row: number, object: T): void {
    this.#objects[row] = object;
  }

  /** The row whose range holds an address, 0 if none does. */
  find(address: number): number {
    const spans = this.#spans;
    const warm = this.#warm;
    if (address < spans[warm * ROW + END]! && address >= spans[warm * ROW + START]!) return warm;
    const row = this.first(address);
    if (row === 0 || spans[row * ROW + START]! > address) return 0;
    this.#warm = row;
    return row;
  }

  /** The row of the lowest range that ends behind an address, 0 if there is none. */
  first(address = 0): number {
    const spans = this.#spans;
    const links = this.#links;
    let row = this.#root;
    let best = 0;
    while (row !== 0) {
      if (spans[row * ROW + END]! > address) {
        best = row;
        row = links[row * ROW + LEFT]!;
      } else row = links[row * ROW + RIGHT]!;
    }
    return best;
  }

  /** The row of the next higher range, 0 behind the last one. */
  next(row: number): number {
    return this.first(this.end(row));
  }

  /** The row of the lowest range that meets `[start, end)`, 0 if none does. */
  firstWithin(start: number, end: number): number {
    const row = this.first(start);
    return row !== 0 && this.#spans[row * ROW + START]! < end ? row : 0;
  }

  /** The rows of the ranges that meet `[start, end)`, ascending. A row may be removed when its turn comes. */
  *within(start: number, end: number): Generator<number> {
    let row = this.firstWithin(start, end);
    while (row !== 0) {
      const behind = this.end(row);
      yield row;
      row = this.firstWithin(behind, end);
    }
  }

  /** All rows, ascending. */
  rows(): Generator<number> {
    return this.within(0, Number.POSITIVE_INFINITY);
  }

  /** Whether an address lies inside a range without being its start: a cut there would split it. */
  bisects(address: number): boolean {
    const row = this.find(address);
    return row !== 0 && this.start(row) !== address;
  }

  /** Adds a range that meets no other (the caller has looked) and returns its row. */
  insert(start: number, end: number, target: number, flags: number, object: T): number {
    const row = this.#take();
    const spans = this.#spans;
    const links = this.#links;
    const priority = this.#nextPriority();
    const at = row * ROW;
    spans[at + START] = start;
    spans[at + END] = end;
    spans[at + TARGET] = target;
    links[at + PRIORITY] = priority;
    links[at + FLAGS] = flags;
    this.#objects[row] = object;
    let parent = 0;
    let side = LEFT;
    let below = this.#root;
    while (below !== 0 && links[below * ROW + PRIORITY]! >= priority) {
      parent = below;
      side = start < spans[below * ROW + START]! ? LEFT : RIGHT;
      below = links[below * ROW + side]!;
    }
    this.#split(below, start, at);
    this.#hang(parent, side, row);
    this.#count += 1;
    return row;
  }

  /** Takes a range away. Its row number may be given to another range afterwards. */
  remove(row: number): void {
    const spans = this.#spans;
    const links = this.#links;
    const start = spans[row * ROW + START]!;
    let parent = 0;
    let side = LEFT;
    let at = this.#root;
    while (at !== row) {
      parent = at;
      side = start < spans[at * ROW + START]! ? LEFT : RIGHT;
      at = links[at * ROW + side]!;
    }
    this.#hang(parent, side, this.#merge(links[row * ROW + LEFT]!, links[row * ROW + RIGHT]!));
    this.#objects[row] = undefined;
    spans[row * ROW + START] = 0;
    spans[row * ROW + END] = 0;
    links[row * ROW + LEFT] = this.#free;
    this.#free = row;
    this.#count -= 1;
    if (this.#warm === row) this.#warm = 0;
  }

  /** Takes every range away, and the memory with it. */
  clear(): void {
    this.#spans = new Float64Array(FIRST_CAPACITY * ROW);
    this.#links = new Int32Array(FIRST_CAPACITY * ROW);
    this.#objects = [undefined];
    this.#root = 0;
    this.#count = 0;
    this.#rows = 1;
    this.#free = 0;
    this.#warm = 0;
  }

  #hang(parent: number, side: number, row: number): void {
    if (parent === 0) this.#root = row;
    else this.#links[parent * ROW + side] = row;
  }

  /** Splits a subtree at an address, and hangs what lies below it and what lies above it from a row's two sides. */
  #split(root: number, start: number, row: number): void {
    const spans = this.#spans;
    const links = this.#links;
    let below = row + LEFT;
    let above = row + RIGHT;
    let at = root;
    while (at !== 0) {
      if (spans[at * ROW + START]! < start) {
        links[below] = at;
        below = at * ROW + RIGHT;
        at = links[below]!;
      } else {
        links[above] = at;
        above = at * ROW + LEFT;
        at = links[above]!;
      }
    }
    links[below] = 0;
    links[above] = 0;
  }

  /** Joins two subtrees of which the first lies below the second. */
  #merge(lower: number, upper: number): number {
    const links = this.#links;
    let root = 0;
    let tail = -1;
    let a = lower;
    let b = upper;
    while (a !== 0 && b !== 0) {
      const takeLower = links[a * ROW + PRIORITY]! >= links[b * ROW + PRIORITY]!;
      const row = takeLower ? a : b;
      if (tail === -1) root = row;
      else links[tail] = row;
      tail = row * ROW + (takeLower ? RIGHT : LEFT);
      if (takeLower) a = links[tail]!;
      else b = links[tail]!;
    }
    const rest = a !== 0 ? a : b;
    if (tail === -1) return rest;
    links[tail] = rest;
    return root;
  }

  #take(): number {
    const row = this.#free;
    if (row !== 0) {
      this.#free = this.#links[row * ROW + LEFT]!;
      return row;
    }
    const capacity = this.#links.length / ROW;
    if (this.#rows === capacity) this.#grow(Math.ceil(capacity * (capacity < 1024 ? 2 : 1.25)));
    this.#rows += 1;
    return this.#rows - 1;
  }

  #grow(capacity: number): void {
    const spans = new Float64Array(capacity * ROW);
    const links = new Int32Array(capacity * ROW);
    spans.set(this.#spans);
    links.set(this.#links);
    this.#spans = spans;
    this.#links = links;
  }

  #nextPriority(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x;
  }
}
