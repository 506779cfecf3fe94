import { baseName, readText, type Sysfs } from '@vfiokit/driver-model';
import { ENOENT } from '@vfiokit/uapi';

/** A fact, and where it came from; a fact without a value could not be observed, and `errno` says why. */
export interface Fact<T> {
  readonly value: T | undefined;
  /** The file, or how it was derived. */
  readonly source: string;
  readonly errno?: number;
}

export function fact<T>(value: T, source: string): Fact<T> {
  return { value, source };
}

/** Whether a fact is missing because nobody was allowed to read it, rather than because it is not there. */
export function unreadable(one: Fact<unknown>): boolean {
  return one.value === undefined && one.errno !== undefined && one.errno !== -ENOENT;
}

/** Reads attributes of one object and remembers what each came from. */
export class AttributeReader {
  constructor(
    private readonly sysfs: Sysfs,
    readonly path: string,
  ) {}

  async text(name: string): Promise<Fact<string>> {
    const source = `${this.path}/${name}`;
    const text = await readText(this.sysfs, source);
    return typeof text === 'number'
      ? { value: undefined, source, errno: text }
      : { value: text.replace(/\n$/, ''), source };
  }

  /** A number in C notation, or in hexadecimal without a prefix. */
  async number(name: string): Promise<Fact<number>> {
    const { value, source, errno } = await this.text(name);
    const number = value === undefined || value.trim() === '' ? Number.NaN : Number(value);
    return Number.isInteger(number)
      ? { value: number, source }
      : { value: undefined, source, ...(errno === undefined ? {} : { errno }) };
  }

  /** The last part of a link's text: links may be absolute, and lead out of a capture. */
  async link(name: string): Promise<Fact<string>> {
    const source = `${this.path}/${name}`;
    const target = await this.sysfs.readLink(source);
    return typeof target === 'number'
      ? { value: undefined, source, errno: target }
      : { value: baseName(target), source };
  }

  /** The names in a directory below; none where it is not there. */
  async list(name: string): Promise<readonly string[]> {
    const names = await this.sysfs.list(`${this.path}/${name}`);
    return typeof names === 'number' ? [] : names;
  }
}
