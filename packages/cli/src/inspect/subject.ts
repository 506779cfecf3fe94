import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { openFunction } from '@vfiokit/core';
import {
  type FunctionDescription,
  type LspciFunction,
  PciAddress,
  PciTopology,
  readLspci,
  readSysfsConfig,
} from '@vfiokit/pci';
import { RecordedMachine, readTrace } from '@vfiokit/replay';
import { Process, VfioError } from '@vfiokit/uapi';
import { readNamedFile } from '../named-file.js';
import { type Inspection, inspectDevice } from './inspection.js';

/** What was inspected, and what there is to say about where it came from. */
export interface Inspected {
  readonly inspection: Inspection;
  /** Each starts with its subject. */
  readonly remarks: readonly string[];
}

/** Where a function without an address is put. */
const DEFAULT_ADDRESS = '0000:00:03.0';
const ARCHIVE = /\.(?:tar|tar\.gz|tgz|tar\.bz2)$/;
const GZIP = 0x1f;
const BRACE = 0x7b;

/**
 * Opens what a file holds: a trace (its first device, or the one that is named), the bytes of a sysfs `config`, or what
 * `lspci -xxx` printed.
 *
 * @param device which of several functions; the first without it.
 * @throws VfioError EINVAL for what is none of them, ENOENT for a device that it does not hold.
 */
export async function inspectFile(path: string, device?: string): Promise<Inspected> {
  if (!existsSync(path))
    throw new VfioError(
      'ENOENT',
      `${path}: no such file; name a device, a trace, a config file or what lspci -xxxx printed`,
    );
  const bytes = readNamedFile(path);
  if (ARCHIVE.test(path))
    throw new VfioError(
      'EINVAL',
      `${path}: is an archive; name it with --machine, and a device of it here`,
    );
  if (/\.jsonl(\.gz)?$/.test(path) || bytes[0] === BRACE || bytes[0] === GZIP)
    return inspectTrace(path, device);
  if (isText(bytes)) return inspectLspci(path, bytes.toString('utf8'), device);
  const { description, truncated, problems } = readSysfsConfig(bytes, path);
  return {
    inspection: inspectDescription(device ?? addressIn(path) ?? DEFAULT_ADDRESS, description),
    remarks: [
      ...(truncated
        ? [`${path}: ends after ${bytes.length} bytes; the rest is taken to be zero`]
        : []),
      ...problems.map(({ at, problem }) => `${path}: 0x${at.toString(16)}: ${problem}`),
    ],
  };
}

/** The function whose folder of sysfs a file lies in. */
function addressIn(path: string): string | undefined {
  return PciAddress.tryParse(basename(dirname(path)))?.toString();
}

/** A dump of configuration bytes has bytes that no text has. */
function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}

function inspectLspci(path: string, text: string, device: string | undefined): Inspected {
  const functions = readLspci(text, path);
  const wanted = device === undefined ? undefined : PciAddress.parse(device);
  const found =
    wanted === undefined ? functions[0] : functions.find(({ address }) => address.equals(wanted));
  if (found === undefined)
    throw new VfioError('ENODEV', `${path}: has no ${wanted}; it has ${addresses(functions)}`);
  const { address, description, truncated, problems } = found;
  return {
    inspection: inspectDescription(address.toString(), description),
    remarks: [
      ...(functions.length > 1 && wanted === undefined
        ? [`${path}: has ${functions.length} functions, this is the first; --device takes another`]
        : []),
      ...(truncated
        ? [
            `${address}: only its first ${description.config.length} bytes are there; lspci -xxxx as root prints all`,
          ]
        : []),
      ...problems.map(({ at, problem }) => `${address}: 0x${at.toString(16)}: ${problem}`),
    ],
  };
}

const addresses = (functions: readonly LspciFunction[]) =>
  functions.map(({ address }) => String(address)).join(', ');

/** Puts a function into a machine of its own and opens it. */
export function inspectDescription(address: string, description: FunctionDescription): Inspection {
  const pdev = new PciTopology().add(address, description);
  using opened = openFunction(pdev);
  // The machine around it was made for this: its group says nothing.
  return { ...inspectDevice(opened.device, opened.process), group: undefined };
}

/** Opens a device on the machine that a trace describes. */
async function inspectTrace(path: string, wanted: string | undefined): Promise<Inspected> {
  const trace = await readTrace(path);
  const { devices } = trace.meta;
  const index = wanted === undefined ? 0 : devices.findIndex(({ bdf }) => bdf === wanted);
  if (index === -1)
    throw new VfioError(
      'ENODEV',
      `${path}: has no ${wanted}; it has ${devices.map(({ bdf }) => bdf).join(', ')}`,
    );
  const process = new Process();
  const opened = new RecordedMachine(trace).open(index, process);
  const inspection = inspectDevice(opened, process);
  opened.close();
  const { kernel, arch } = trace.meta;
  return { inspection, remarks: [`${path}: recorded on Linux ${kernel}, ${arch}`] };
}
