import type { Blocking } from '../blocking.js';
import type { SysfsDirectory, SysfsFile, SysfsNode } from './node.js';

/**
 * One row of a table of attributes that all objects of a kind have (struct device_attribute, bus_attribute,
 * driver_attribute).
 */
export interface Attribute<T> {
  readonly name: string;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  /** Whether this object has it; all do if absent. */
  visible?(owner: T): boolean;
  /** The content with its newline, or a negated errno. */
  show?(owner: T): Blocking<string | Uint8Array | number>;
  /** Takes one write, one character a byte: 0 or more, or a negated errno and nothing changed. */
  store?(owner: T, text: string): Blocking<number>;
}

/** Binds a row to its object. */
export function attributeFile<T>(
  attribute: Attribute<T>,
  owner: T,
  alive: () => boolean = () => true,
): SysfsFile {
  const { mode, show, store } = attribute;
  return {
    kind: 'file',
    mode,
    alive,
    ...(show === undefined ? {} : { show: () => show.call(attribute, owner) }),
    ...(store === undefined ? {} : { store: (text: string) => store.call(attribute, owner, text) }),
  };
}

/** The directory of an object: the rows of its tables, and what is only there for now. */
export function objectDirectory<T>(
  owner: T,
  tables: readonly ReadonlyMap<string, Attribute<T>>[],
  extra: SysfsDirectory,
  alive?: () => boolean,
): SysfsDirectory {
  const row = (name: string): SysfsNode | undefined => {
    for (const table of tables) {
      const attribute = table.get(name);
      if (attribute !== undefined && (attribute.visible?.(owner) ?? true))
        return attributeFile(attribute, owner, alive);
    }
    return undefined;
  };
  return {
    kind: 'directory',
    get: (name) => extra.get(name) ?? row(name),
    *names() {
      yield* extra.names();
      for (const table of tables)
        for (const attribute of table.values())
          if (attribute.visible?.(owner) ?? true) yield attribute.name;
    },
  };
}

/** A table of attributes by name. */
export function attributeTable<T>(
  rows: readonly Attribute<T>[],
): ReadonlyMap<string, Attribute<T>> {
  return new Map(rows.map((row) => [row.name, row]));
}
