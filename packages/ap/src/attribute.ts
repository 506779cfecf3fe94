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

/** How an attribute is read. @throws VfioError `EACCES` if it cannot be. */
export function showOf<T>({ show }: Attribute<T>, name: string): (target: T) => string {
  if (show === undefined) throw new VfioError('EACCES', `${name}: write-only`);
  return show;
}

/** How an attribute is written; a write of no bytes never gets to it. @throws VfioError `EACCES` if it cannot be. */
export function storeTo<T>(
  { store }: Attribute<T>,
  name: string,
): (target: T, text: string) => void {
  if (store === undefined) throw new VfioError('EACCES', `${name}: read-only`);
  return (target, text) => {
    if (text !== '') store(target, text);
  };
}
