import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fileError } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';

/** Reads a file that a command line names. @throws VfioError what the file system answers, with the file's name. */
export function readNamedFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Reads a text that may be packed with gzip. @throws VfioError `EINVAL` for one that was packed and is damaged. */
export function readNamedText(path: string): string {
  const bytes = readNamedFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString();
  try {
    return gunzipSync(bytes).toString();
  } catch (cause) {
    throw new VfioError('EINVAL', `${path}: not a whole gzip file; was it cut short?`, { cause });
  }
}
