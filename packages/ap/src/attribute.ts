import { VfioError } from '@vfiokit/uapi';

/** A file of sysfs that belongs to a target: what reading gives, what writing does. */
export interface Attribute<T> {
  /** The whole text, with its newline. Without it the file is write-only. */
  show?(target: T): string;
  /**
   * Takes one write.
   *
   * @throws VfioError with the errno that write(2) fails with; nothing has changed then.
   */
  store?(target: T, text: string): void;
}

/** The attributes of one kind of target, by file name. */
export type AttributeTable<T> = Readonly<Record<string, Attribute<T>>>;

/** The write-only and read-only shorthands of the tables. */
export function writeOnly<T>(store: (target: T, text: string) => void): Attribute<T> {
  return { store };
}

export function readOnly<T>(show: (target: T) => string): Attribute<T> {
  return { show };
}

/** Reads an attribute. @throws VfioError `ENOENT` without one, `EACCES` if it cannot be read. */
export function readAttribute<T>(table: AttributeTable<T>, name: string, target: T): string {
  const { show } = find(table, name);
  if (show === undefined) throw new VfioError('EACCES', `${name}: write-only`);
  return show(target);
}

/**
 * Writes an attribute. A write of no bytes never gets to it.
 *
 * @throws VfioError `ENOENT` without one, `EACCES` if it cannot be written, and whatever the attribute says.
 */
export function writeAttribute<T>(
  table: AttributeTable<T>,
  name: string,
  target: T,
  text: string,
): void {
  const { store } = find(table, name);
  if (store === undefined) throw new VfioError('EACCES', `${name}: read-only`);
  if (text !== '') store(target, text);
}

function find<T>(table: AttributeTable<T>, name: string): Attribute<T> {
  const attribute = Object.hasOwn(table, name) ? table[name] : undefined;
  if (attribute === undefined) throw new VfioError('ENOENT', `${name}: no such attribute`);
  return attribute;
}
