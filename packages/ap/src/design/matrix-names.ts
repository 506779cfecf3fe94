import { parseUuid, type Uuid } from '@vfiokit/mdev';
import { VfioError } from '@vfiokit/uapi';

/** Names for mediated devices, so that people need not read UUIDs. A name that is a UUID stays one. */
export class MatrixNames {
  readonly #names = new Map<Uuid, string>();

  /** The UUID of a name: the name itself, or its characters in hex. Remembers the name. */
  uuidOf(name: string): Uuid {
    const uuid = isUuid(name) ? name.toLowerCase() : spelledOut(name);
    this.#names.set(uuid, name);
    return uuid;
  }

  /** The name by which a UUID is known; the UUID itself for one that nobody named. */
  nameOf(uuid: Uuid): string {
    return this.#names.get(uuid) ?? uuid;
  }
}

function isUuid(text: string): boolean {
  try {
    return parseUuid(text).length === text.length;
  } catch (error) {
    if (error instanceof VfioError) return false;
    throw error;
  }
}

const LONGEST = 16;

function spelledOut(name: string): Uuid {
  if (name.length > LONGEST || !/^[\x20-\x7e]+$/.test(name))
    throw new VfioError(
      'EINVAL',
      `${JSON.stringify(name)}: a matrix is called by a UUID or by at most ${LONGEST} plain characters`,
    );
  const hex = [...name].map((character) => character.charCodeAt(0).toString(16)).join('');
  const digits = hex.padStart(32, '0');
  return [8, 12, 16, 20, 32].map((end, n, ends) => digits.slice(ends[n - 1] ?? 0, end)).join('-');
}
