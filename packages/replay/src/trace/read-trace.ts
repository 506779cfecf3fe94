import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { VfioError } from '@vfiokit/uapi';
import type { HwProbe, Trace, TraceMeta, TraceOp } from './trace.js';

const FORMAT = 1;
const OBJECT = /^[cgd]\d$/;
const NEWLINE = 0x0a;
/** Bytes that are read and inflated at a time: few enough to hold, enough that waiting for them does not count. */
const CHUNK = 1 << 20;

type FieldType = 'string' | 'number' | 'boolean';

/** What each operation cannot be played without. */
const REQUIRED_FIELDS: Readonly<Record<TraceOp['op'], Readonly<Record<string, FieldType>>>> = {
  section: { name: 'string' },
  note: {},
  hwsnap: { dev: 'number', len: 'number', hex: 'string' },
  bind: { dev: 'number', driver: 'string', bound: 'boolean' },
  unbind: { dev: 'number', ret: 'number' },
  unbind_start: { dev: 'number' },
  unbind_done: { dev: 'number' },
  open: { obj: 'string', ret: 'number' },
  close: { obj: 'string', ret: 'number' },
  get_device_fd: { obj: 'string', name: 'string', ret: 'number' },
  ioctl: { obj: 'string', cmd: 'string' },
  pread: { dev: 'number', r: 'number', o: 'number', n: 'number', ret: 'number' },
  pwrite: { dev: 'number', r: 'number', o: 'number', n: 'number', in: 'string', ret: 'number' },
  mmap: { dev: 'number', r: 'number', o: 'number', len: 'number', ret: 'number' },
  efd_write: { e: 'number', v: 'number' },
  delay: {},
  wait_suspend: { dev: 'number', rpm: 'string' },
  mem: { addr: 'string', hex: 'string' },
  cap_ipc_lock: { on: 'boolean' },
  rlimit_memlock: { bytes: 'number' },
  sriov_numvfs: { dev: 'number', n: 'number', ret: 'number' },
};

/**
 * Reads a recorded trace, JSON lines plain or in gzip; which of the two is seen from its contents.
 *
 * @throws VfioError whose message starts with file and line: `EINVAL` for a file that is broken, `ENOENT`, `EACCES` or
 * `EIO` for one that can't be read.
 */
export async function readTrace(path: string): Promise<Trace> {
  const lines = new TraceLines(path);
  try {
    for await (const chunk of await openBytes(path)) lines.push(chunk as Buffer);
    return lines.finish();
  } catch (error) {
    throw error instanceof VfioError ? error : unreadable(path, lines.count, error);
  }
}

async function openBytes(path: string): Promise<AsyncIterable<unknown>> {
  const isGzip = await startsAsGzip(path);
  const raw = createReadStream(path, { highWaterMark: CHUNK });
  if (!isGzip) return raw;
  const inflated = createGunzip({ chunkSize: CHUNK });
  raw.on('error', (error) => inflated.destroy(error));
  return raw.pipe(inflated);
}

async function startsAsGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

function unreadable(path: string, line: number, cause: unknown): VfioError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new VfioError('ENOENT', `${path}: no such file`, { cause });
  if (code === 'EISDIR')
    return new VfioError('EINVAL', `${path}: is a directory; name the files in it`, { cause });
  if (code === 'Z_BUF_ERROR')
    return new VfioError(
      'EINVAL',
      `${path}:${line + 1}: the gzip file ends here, in the middle; copy it again`,
      { cause },
    );
  if (code?.startsWith('Z_'))
    return new VfioError('EINVAL', `${path}:${line + 1}: damaged gzip file: ${message}`, { cause });
  return new VfioError(code === 'EACCES' ? 'EACCES' : 'EIO', `${path}: can't be read: ${message}`, {
    cause,
  });
}

/** Gathers the lines of a trace from chunks of bytes. */
class TraceLines {
  /** Complete lines so far. */
  count = 0;
  #rest: Buffer = Buffer.alloc(0);
  #meta: TraceMeta | undefined;
  readonly #probes: HwProbe[] = [];
  readonly #operations: TraceOp[] = [];
  readonly #unknown = new Map<string, number>();

  constructor(private readonly path: string) {}

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE);
    if (end === -1) {
      this.#rest = bytes;
      return;
    }
    this.#rest = bytes.subarray(end + 1);
    for (const line of bytes.toString('utf8', 0, end).split('\n')) this.#line(line);
  }

  finish(): Trace {
    if (this.#rest.length > 0) this.#line(this.#rest.toString('utf8'));
    if (this.#meta === undefined)
      throw this.#broken('is empty; a trace starts with a line of op "meta"');
    return {
      path: this.path,
      meta: this.#meta,
      probes: this.#probes,
      operations: this.#operations,
      unknown: this.#unknown,
    };
  }

  #line(text: string): void {
    this.count += 1;
    if (text === '') return;
    const line = this.#parse(text);
    if (this.#meta === undefined) this.#meta = this.#checkMeta(line);
    else if (line.op === 'hwprobe') this.#probes.push(line as unknown as HwProbe);
    else this.#operation(line);
  }

  #parse(text: string): Readonly<Record<string, unknown>> {
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch (cause) {
      throw this.#broken(`not JSON: ${(cause as Error).message}`, cause);
    }
    if (
      typeof line !== 'object' ||
      line === null ||
      typeof (line as { op?: unknown }).op !== 'string'
    )
      throw this.#broken('no object with an "op"');
    return line as Record<string, unknown>;
  }

  #operation(line: Readonly<Record<string, unknown>>): void {
    const op = line.op as string;
    const required = Object.hasOwn(REQUIRED_FIELDS, op)
      ? REQUIRED_FIELDS[op as TraceOp['op']]
      : undefined;
    if (required === undefined) {
      this.#unknown.set(op, (this.#unknown.get(op) ?? 0) + 1);
      return;
    }
    for (const field in required)
      if (typeof line[field] !== required[field])
        throw this.#broken(`op "${op}" without its ${required[field]} "${field}"`);
    this.#checkReferences(line as unknown as TraceOp);
    this.#operations.push(line as unknown as TraceOp);
  }

  /** What an operation names has to be in the machine, or be one of the script's objects. */
  #checkReferences(op: TraceOp): void {
    const { dev, obj } = op as { dev?: unknown; obj?: unknown };
    const devices = this.#meta!.devices.length;
    if (
      dev !== undefined &&
      !(typeof dev === 'number' && Number.isInteger(dev) && dev >= 0 && dev < devices)
    )
      throw this.#broken(
        `op "${op.op}" of device ${JSON.stringify(dev)}, of which there are ${devices}`,
      );
    if (obj !== undefined && !OBJECT.test(String(obj)))
      throw this.#broken(
        `op "${op.op}" of object ${JSON.stringify(obj)}; they are called c0, g0, d0`,
      );
  }

  #checkMeta(line: Readonly<Record<string, unknown>>): TraceMeta {
    if (line.op !== 'meta')
      throw this.#broken(`starts with op "${line.op}" instead of "meta"; is it a trace?`);
    if (line.format !== FORMAT)
      throw this.#broken(
        `has format ${JSON.stringify(line.format)}; only format ${FORMAT} is known`,
      );
    for (const list of ['devices', 'groups', 'system', 'bridges', 'iommu', 'rom'])
      if (!Array.isArray(line[list])) throw this.#broken(`meta without its list "${list}"`);
    for (const table of ['fds', 'mem', 'modparams', 'slots'])
      if (typeof line[table] !== 'object' || line[table] === null)
        throw this.#broken(`meta without its "${table}"`);
    const meta = line as unknown as TraceMeta;
    if (meta.devices.length === 0) throw this.#broken('meta without a device');
    for (const { bdf, config, cfg_size, resource } of meta.devices)
      if (
        typeof bdf !== 'string' ||
        typeof config !== 'string' ||
        typeof cfg_size !== 'number' ||
        !Array.isArray(resource)
      )
        throw this.#broken(`meta with an incomplete device ${JSON.stringify(bdf ?? null)}`);
    return meta;
  }

  #broken(what: string, cause?: unknown): VfioError {
    return new VfioError('EINVAL', `${this.path}:${Math.max(this.count, 1)}: ${what}`, { cause });
  }
}
