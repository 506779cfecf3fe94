/**
 * The file tree through which user space meets the driver core: `/sys`, and what a reader of it needs from `/proc`,
 * `/dev` and `/lib/modules` beside it. A modelled machine, a capture and the running kernel are each one.
 *
 * Paths are absolute from the machine's root, such as `/sys/bus/pci/drivers_probe`. An answer that is a number below 0
 * is a negated errno: an attribute that is not there (`-ENOENT`) or can't be read (`-EACCES`) is a fact to those who
 * plan, not a failure, so nothing here throws. Any call may take as long as the kernel does: a store to `unbind` waits
 * for the device's user.
 */
export interface Sysfs {
  /** What stands behind it. Only `model` and `live` take writes; a capture answers them with `-EROFS`. */
  readonly kind: 'model' | 'capture' | 'live';
  /** The content of a file; binary files may be read so too. */
  read(path: string): Promise<Uint8Array | number>;
  /** One write(2) of these bytes: one call of the attribute's store. The number of bytes taken, or a negated errno. */
  write(path: string, data: string | Uint8Array): Promise<number>;
  /** The names in a directory, in no promised order. */
  list(path: string): Promise<readonly string[] | number>;
  /** The text of a symbolic link, not followed. */
  readLink(path: string): Promise<string | number>;
}

const DECODER = new TextDecoder();

/** Reads a file as text, or gives the negated errno. */
export async function readText(sysfs: Sysfs, path: string): Promise<string | number> {
  const bytes = await sysfs.read(path);
  return typeof bytes === 'number' ? bytes : DECODER.decode(bytes);
}

/** The last part of a path or of a link's text; copying tools may leave a slash behind it. */
export function baseName(path: string): string {
  const end = path.replace(/\/+$/, '');
  return end.slice(end.lastIndexOf('/') + 1);
}
