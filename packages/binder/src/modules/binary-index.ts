import { VfioError } from '@vfiokit/uapi';
import type { AliasEntry } from './alias-index.js';

const INDEX_MAGIC = 0xb007f457;
const INDEX_VERSION_MAJOR = 2;

// What an offset's upper bits say is there (libkmod-index.c: node_offset).
const INDEX_NODE_PREFIX = 0x80000000;
const INDEX_NODE_VALUES = 0x40000000;
const INDEX_NODE_CHILDS = 0x20000000;
const INDEX_NODE_MASK = 0x0fffffff;

/**
 * Reads a binary module index, such as `modules.alias.bin`: a radix tree, big-endian, whose values carry the order of
 * their modules.
 *
 * @throws VfioError `EINVAL` for another format or an offset that leads out of the file.
 */
export function parseBinaryIndex(bytes: Uint8Array, name: string): readonly AliasEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('latin1');
  const broken = (what: string, cause?: unknown): VfioError =>
    new VfioError('EINVAL', `${name}: ${what}; run depmod again`, { cause });
  if (bytes.length < 12 || view.getUint32(0) !== INDEX_MAGIC) throw broken('no module index');
  if (view.getUint32(4) >>> 16 !== INDEX_VERSION_MAJOR)
    throw broken(`version ${view.getUint32(4).toString(16)} of the index is not known`);

  const entries: AliasEntry[] = [];
  const textAt = (offset: number): { text: string; next: number } => {
    const end = bytes.indexOf(0, offset);
    if (end < 0) throw broken('cut short');
    return { text: decoder.decode(bytes.subarray(offset, end)), next: end + 1 };
  };
  let nodes = 0;
  const visit = (place: number, key: string): void => {
    nodes += 1;
    // Every node of a tree takes at least a byte; more of them than bytes are a loop.
    if (nodes > bytes.length) throw broken('its tree has a loop');
    let offset = place & INDEX_NODE_MASK;
    let prefixed = key;
    if (place & INDEX_NODE_PREFIX) {
      const { text, next } = textAt(offset);
      prefixed += text;
      offset = next;
    }
    const children: [number, string][] = [];
    if (place & INDEX_NODE_CHILDS) {
      const first = view.getUint8(offset);
      const last = view.getUint8(offset + 1);
      offset += 2;
      for (let code = first; code <= last; code += 1, offset += 4)
        children.push([view.getUint32(offset), String.fromCharCode(code)]);
    }
    if (place & INDEX_NODE_VALUES) {
      const count = view.getUint32(offset);
      offset += 4;
      for (let index = 0; index < count; index += 1) {
        const priority = view.getUint32(offset);
        const { text, next } = textAt(offset + 4);
        entries.push({ pattern: prefixed, module: text, line: priority });
        offset = next;
      }
    }
    for (const [child, character] of children)
      if ((child & INDEX_NODE_MASK) !== 0) visit(child, prefixed + character);
  };
  try {
    visit(view.getUint32(8), '');
  } catch (error) {
    if (error instanceof RangeError) throw broken('cut short', error);
    throw error;
  }
  return entries.sort((a, b) => a.line - b.line);
}

/**
 * The aliases in `modules.builtin.modinfo`: NUL-terminated `module.key=value`, those of drivers that are compiled into
 * the kernel and in no other index.
 */
export function parseBuiltinModinfo(text: string): readonly AliasEntry[] {
  return text.split('\0').flatMap((item, index) => {
    const match = /^([^.=]+)\.alias=(.+)$/s.exec(item);
    return match === null ? [] : [{ module: match[1]!, pattern: match[2]!, line: index + 1 }];
  });
}
