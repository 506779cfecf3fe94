import {
  type Blocking,
  type KernelLog,
  type LogLine,
  PAGE_SIZE,
  type SysfsDirectory,
  type SysfsFile,
  type SysfsNode,
} from '@vfiokit/driver-model';
import { EIO, errnoName, VfioError } from '@vfiokit/uapi';

/**
 * An administrator at the prompt of a modelled kernel: `cat`, `echo`, `ls`, `readlink` on its `/sys`.
 *
 * Unlike a `Sysfs` it does not wait: everything is done when a call returns, except for a write that blocks. What fails
 * throws, with the errno of the system call and what the kernel's log says of it.
 */
export class Shell {
  constructor(
    private readonly root: SysfsDirectory,
    private readonly log: KernelLog,
  ) {}

  /** Reads a file. @throws VfioError */
  cat(path: string): string {
    const file = this.#file(path, 0o444);
    const text = file.show?.() ?? -EIO;
    if (typeof text === 'number') throw this.#failure(path, text, undefined);
    if (typeof text !== 'string') throw new VfioError('EIO', `${path}: no text`);
    return text.slice(0, PAGE_SIZE);
  }

  /** Writes a file in one write(2), which does nothing for no bytes. @throws VfioError */
  echo(text: string, path: string): Blocking<void> {
    const file = this.#file(path, 0o222);
    if (text === '') return;
    const said = this.log.lines.length;
    const check = (result: number): void => {
      if (result < 0) throw this.#failure(path, result, this.log.lines.slice(said).at(-1));
    };
    const result = file.store?.(text) ?? -EIO;
    if (result instanceof Promise) return result.then(check);
    check(result);
  }

  /** The names in a directory, sorted. @throws VfioError */
  ls(path: string): readonly string[] {
    const node = this.#walk(path, true);
    if (node.kind !== 'directory') throw new VfioError('ENOTDIR', `${path}: no directory`);
    return [...new Set(node.names())].sort();
  }

  /** Where a link leads, as an absolute path. @throws VfioError */
  readlink(path: string): string {
    const node = this.#walk(path, false);
    if (node.kind !== 'link') throw new VfioError('EINVAL', `${path}: no link`);
    return node.target;
  }

  /** Whether there is something under a path. */
  exists(path: string): boolean {
    return this.#find(path, true) !== undefined;
  }

  /** The failure of a system call, with what the kernel's log says of it. */
  #failure(path: string, errno: number, line: LogLine | undefined): VfioError {
    const said = line && `${line.subject}: ${line.text}`;
    return VfioError.fromErrno(errno, said ?? `${path}: ${errnoName(errno)}`);
  }

  #file(path: string, permission: number): SysfsFile {
    const node = this.#walk(path, true);
    if (node.kind !== 'file') throw new VfioError('EISDIR', `${path}: is a directory`);
    if ((node.mode & permission) === 0) throw new VfioError('EACCES', `${path}: permission denied`);
    if (node.alive?.() === false) throw new VfioError('ENODEV', `${path}: its device is gone`);
    return node;
  }

  #walk(path: string, follow: boolean): SysfsNode {
    const node = this.#find(path, follow);
    if (node === undefined) throw new VfioError('ENOENT', `${path}: no such file`);
    return node;
  }

  #find(path: string, follow: boolean): SysfsNode | undefined {
    const [sys, ...names] = path.split('/').filter((name) => name !== '');
    if (sys !== 'sys') return undefined;
    let node: SysfsNode = this.root;
    for (const [n, name] of names.entries()) {
      const next: SysfsNode | undefined = node.kind === 'directory' ? node.get(name) : undefined;
      if (next === undefined) return undefined;
      const last = n === names.length - 1;
      const target: SysfsNode | undefined =
        next.kind === 'link' && (follow || !last) ? this.#find(next.target, true) : next;
      if (target === undefined) return undefined;
      node = target;
    }
    return node;
  }
}
