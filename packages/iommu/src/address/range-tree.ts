import type { AddressRange } from './address.js';

const FIRST_CAPACITY = 16;
/** Xorshift: priorities only have to look random, and runs have to repeat. */
const SEED = 0x9e3779b9;

/**
 * Disjoint ranges of addresses, each with a target address, flags and one object: what a mapping is, in under 60 bytes.
 *
 * A treap whose nodes are rows of typed arrays, so that 65,535 mappings are a handful of objects to the garbage
 * collector. A row number (from 1; 0 is "none") stands for a range until it is removed. Every search is O(log n).
 */
export class RangeTree<T> {
  #starts = new Float64Array(FIRST_CAPACITY);
  #ends = new Float64Array(FIRST_CAPACITY);
  #targets = new Float64Array(FIRST_CAPACITY);
  #flags = new Uint8Array(FIRST_CAPACITY);
  #left = new Int32Array(FIRST_CAPACITY);
  #right = new Int32Array(FIRST_CAPACITY);
  #priorities = new Int32Array(FIRST_CAPACITY);
  #objects: (T | undefined)[] = [undefined];
  #root = 0;
  #count = 0;
  /** Rows that have ever been used. */
  #rows = 1;
  /** Removed rows, linked through `#left`. */
  #free = 0;
  #random = SEED;
  /** The row that answered last: DMA goes to the same range again and again. */
  #warm = 0;

  /** How many ranges there are. */
  get size(): number {
    return this.#count;
  }

  start(row: number): number {
    return this.#starts[row]!;
  }

  end(row: number): number {
    return this.#ends[row]!;
  }

  /** The address that the range's start stands for. */
  target(row: number): number {
    return this.#targets[row]!;
  }

  flags(row: number): number {
    return this.#flags[row]!;
  }

  object(row: number): T {
    return this.#objects[row] as T;
  }

  range(row: number): AddressRange {
    return { start: this.start(row), end: this.end(row) };
  }

  setTarget(row: number, target: number): void {
    this.#targets[row] = target;
  }

  setFlags(row: number, flags: number): void {
    this.#flags[row] = flags;
  }

  setObject(row: number, object: T): void {
    this.#objects[row] = object;
  }

  /** The row whose range holds an address, 0 if none does. */
  find(address: number): number {
    const warm = this.#warm;
    if (address < this.#ends[warm]! && address >= this.#starts[warm]!) return warm;
    const row = this.first(address);
    if (row === 0 || this.#starts[row]! > address) return 0;
    this.#warm = row;
    return row;
  }

  /** The row of the lowest range that ends behind an address, 0 if there is none. */
  first(address = 0): number {
    const ends = this.#ends;
    let row = this.#root;
    let best = 0;
    while (row !== 0) {
      if (ends[row]! > address) {
        best = row;
        row = this.#left[row]!;
      } else row = this.#right[row]!;
    }
    return best;
  }

  /** The row of the next higher range, 0 behind the last one. */
  next(row: number): number {
    return this.first(this.#ends[row]!);
  }

  /** The row of the lowest range that meets `[start, end)`, 0 if none does. */
  firstWithin(start: number, end: number): number {
    const row = this.first(start);
    return row !== 0 && this.#starts[row]! < end ? row : 0;
  }

  /** The rows of the ranges that meet `[start, end)`, ascending. A row may be removed when its turn comes. */
  *within(start: number, end: number): Generator<number> {
    let row = this.firstWithin(start, end);
    while (row !== 0) {
      const behind = this.#ends[row]!;
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
    return row !== 0 && this.#starts[row]! !== address;
  }

  /** Adds a range that meets no other (the caller has looked) and returns its row. */
  insert(start: number, end: number, target: number, flags: number, object: T): number {
    const row = this.#take();
    const priority = this.#nextPriority();
    this.#starts[row] = start;
    this.#ends[row] = end;
    this.#targets[row] = target;
    this.#flags[row] = flags;
    this.#priorities[row] = priority;
    this.#objects[row] = object;
    const starts = this.#starts;
    let parent = 0;
    let onLeft = false;
    let at = this.#root;
    while (at !== 0 && this.#priorities[at]! >= priority) {
      parent = at;
      onLeft = start < starts[at]!;
      at = onLeft ? this.#left[at]! : this.#right[at]!;
    }
    this.#split(at, start);
    const below = this.#right[0]!;
    const above = this.#left[0]!;
    this.#left[row] = below;
    this.#right[row] = above;
    this.#hang(parent, onLeft, row);
    this.#count += 1;
    return row;
  }

  /** Takes a range away. Its row number may be given to another range afterwards. */
  remove(row: number): void {
    const start = this.#starts[row]!;
    let parent = 0;
    let onLeft = false;
    let at = this.#root;
    while (at !== row) {
      parent = at;
      onLeft = start < this.#starts[at]!;
      at = onLeft ? this.#left[at]! : this.#right[at]!;
    }
    this.#hang(parent, onLeft, this.#merge(this.#left[row]!, this.#right[row]!));
    this.#objects[row] = undefined;
    this.#starts[row] = 0;
    this.#ends[row] = 0;
    this.#left[row] = this.#free;
    this.#free = row;
    this.#count -= 1;
    if (this.#warm === row) this.#warm = 0;
  }

  /** Takes every range away, and the memory with it. */
  clear(): void {
    this.#resize(FIRST_CAPACITY);
    this.#objects = [undefined];
    this.#root = 0;
    this.#count = 0;
    this.#rows = 1;
    this.#free = 0;
    this.#warm = 0;
    this.#starts[0] = 0;
    this.#ends[0] = 0;
  }

  #hang(parent: number, onLeft: boolean, row: number): void {
    if (parent === 0) this.#root = row;
    else if (onLeft) this.#left[parent] = row;
    else this.#right[parent] = row;
  }

  /** Splits a subtree at an address: what lies below hangs from `right[0]` then, what lies above from `left[0]`. */
  #split(root: number, start: number): void {
    const left = this.#left;
    const right = this.#right;
    let below = 0;
    let above = 0;
    let at = root;
    while (at !== 0) {
      if (this.#starts[at]! < start) {
        right[below] = at;
        below = at;
        at = right[at]!;
      } else {
        left[above] = at;
        above = at;
        at = left[at]!;
      }
    }
    right[below] = 0;
    left[above] = 0;
  }

  /** Joins two subtrees of which the first lies below the second. */
  #merge(lower: number, upper: number): number {
    const priorities = this.#priorities;
    let root = 0;
    let tail = 0;
    let onLeft = false;
    let a = lower;
    let b = upper;
    while (a !== 0 || b !== 0) {
      const takeLower = b === 0 || (a !== 0 && priorities[a]! >= priorities[b]!);
      const row = takeLower ? a : b;
      if (tail === 0) root = row;
      else if (onLeft) this.#left[tail] = row;
      else this.#right[tail] = row;
      if (a === 0 || b === 0) break;
      tail = row;
      onLeft = !takeLower;
      if (takeLower) a = this.#right[a]!;
      else b = this.#left[b]!;
    }
    return root;
  }

  #take(): number {
    const row = this.#free;
    if (row !== 0) {
      this.#free = this.#left[row]!;
      return row;
    }
    const { length } = this.#starts;
    if (this.#rows === length) this.#resize(length < 1024 ? length * 2 : Math.ceil(length * 1.25));
    this.#rows += 1;
    return this.#rows - 1;
  }

  #resize(capacity: number): void {
    this.#starts = resized(this.#starts, new Float64Array(capacity));
    this.#ends = resized(this.#ends, new Float64Array(capacity));
    this.#targets = resized(this.#targets, new Float64Array(capacity));
    this.#flags = resized(this.#flags, new Uint8Array(capacity));
    this.#left = resized(this.#left, new Int32Array(capacity));
    this.#right = resized(this.#right, new Int32Array(capacity));
    this.#priorities = resized(this.#priorities, new Int32Array(capacity));
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

function resized<A extends Float64Array | Int32Array | Uint8Array>(from: A, into: A): A {
  into.set(from.length <= into.length ? from : from.subarray(0, into.length));
  return into;
}
