import type { AliasEntry } from '@vfiokit/binder';

const INDEX_MAGIC = 0xb007f457;
const INDEX_VERSION = 0x00020001;
const INDEX_NODE_VALUES = 0x40000000;
const INDEX_NODE_CHILDS = 0x20000000;

interface Node {
  readonly children: Map<number, Node>;
  readonly values: { readonly priority: number; readonly module: string }[];
}

/** Writes entries as `modules.alias.bin` holds them, without shared prefixes: for kmod to be measured with. */
export function writeBinaryIndex(entries: readonly AliasEntry[]): Uint8Array {
  const root: Node = { children: new Map(), values: [] };
  for (const { pattern, module, line } of entries) {
    let node = root;
    for (const character of pattern.replaceAll('-', '_')) {
      const code = character.charCodeAt(0);
      let next = node.children.get(code);
      if (next === undefined) {
        next = { children: new Map(), values: [] };
        node.children.set(code, next);
      }
      node = next;
    }
    node.values.push({ priority: line, module });
  }
  const chunks: Buffer[] = [];
  let size = 12;
  const write = (chunk: Buffer): number => {
    const at = size;
    chunks.push(chunk);
    size += chunk.length;
    return at;
  };
  // Children first: a node holds their offsets.
  const place = (node: Node): number => {
    const parts: Buffer[] = [];
    let flags = 0;
    if (node.children.size > 0) {
      const codes = [...node.children.keys()].sort((a, b) => a - b);
      const [first, last] = [codes[0]!, codes.at(-1)!];
      const table = Buffer.alloc(2 + 4 * (last - first + 1));
      table[0] = first;
      table[1] = last;
      for (const code of codes)
        table.writeUInt32BE(place(node.children.get(code)!), 2 + 4 * (code - first));
      parts.push(table);
      flags |= INDEX_NODE_CHILDS;
    }
    if (node.values.length > 0) {
      const count = Buffer.alloc(4);
      count.writeUInt32BE(node.values.length);
      parts.push(count);
      for (const { priority, module } of node.values) {
        const value = Buffer.alloc(4 + module.length + 1);
        value.writeUInt32BE(priority);
        value.write(module, 4, 'latin1');
        parts.push(value);
      }
      flags |= INDEX_NODE_VALUES;
    }
    return (write(Buffer.concat(parts)) | flags) >>> 0;
  };
  const header = Buffer.alloc(12);
  header.writeUInt32BE(INDEX_MAGIC, 0);
  header.writeUInt32BE(INDEX_VERSION, 4);
  header.writeUInt32BE(place(root), 8);
  return Buffer.concat([header, ...chunks]);
}
