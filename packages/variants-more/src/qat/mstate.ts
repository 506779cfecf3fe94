import { array, type StructOf, struct, u8, u16, u32 } from '@vfiokit/uapi';

const ADF_MSTATE_MAGIC = 0xadf5caea;
const ADF_MSTATE_VERSION = 1;
const ID_LENGTH = 8;

/** What a part of a state begins with (qat_common/adf_mstate_mgr.c: struct adf_mstate_preh). */
const adfMstatePreh = struct('adf_mstate_preh', {
  magic: u32,
  version: u32,
  /** Bytes of this. */
  prehLen: u16,
  nSects: u16,
  /** Bytes of the sections behind it. */
  size: u32,
});

/** What a section begins with (struct adf_mstate_sect_h). */
const adfMstateSectH = struct('adf_mstate_sect_h', {
  id: array(u8, ID_LENGTH),
  /** Bytes of what follows, with the sections in it. */
  size: u32,
  subSects: u32,
});
type SectionHeader = StructOf<typeof adfMstateSectH>;

/** A named piece of a state: bytes, or sections of its own. */
export interface MstateSection {
  /** At most 8 characters. */
  readonly id: string;
  readonly content: Uint8Array | readonly MstateSection[];
}

/** One part of a state: a preamble and its sections. */
export function encodeMstate(sections: readonly MstateSection[]): Uint8Array {
  const body = concat(sections.map(encodeSection));
  const preamble = adfMstatePreh.encode({
    magic: ADF_MSTATE_MAGIC,
    version: ADF_MSTATE_VERSION,
    prehLen: adfMstatePreh.size,
    nSects: sections.length,
    size: body.length,
  });
  return concat([preamble, body]);
}

/** Bytes of the part that begins here; undefined as long as its preamble is not there, -1 if that is none. */
export function mstateLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < adfMstatePreh.size) return undefined;
  const { magic, version, prehLen, size } = adfMstatePreh.decode(bytes);
  const known = magic === ADF_MSTATE_MAGIC && version === ADF_MSTATE_VERSION;
  return known && prehLen === adfMstatePreh.size ? prehLen + size : -1;
}

/** The sections of a part; undefined if they do not add up to it. */
export function decodeMstate(bytes: Uint8Array): readonly MstateSection[] | undefined {
  const length = mstateLength(bytes);
  if (length === undefined || length < 0 || length > bytes.length) return undefined;
  const { prehLen, nSects } = adfMstatePreh.decode(bytes);
  return decodeSections(bytes.subarray(prehLen, length), nSects);
}

/** The bytes of a section, by the names that lead to it; undefined if there is none. */
export function findSection(
  sections: readonly MstateSection[],
  [id, ...inner]: readonly string[],
): Uint8Array | undefined {
  const content = sections.find((section) => section.id === id)?.content;
  if (content instanceof Uint8Array) return inner.length === 0 ? content : undefined;
  return content && findSection(content, inner);
}

function encodeSection({ id, content }: MstateSection): Uint8Array {
  const nested = content instanceof Uint8Array ? [] : content.map(encodeSection);
  const body = content instanceof Uint8Array ? content : concat(nested);
  const header: SectionHeader = {
    id: [...new TextEncoder().encode(id.padEnd(ID_LENGTH, '\0'))],
    size: body.length,
    subSects: nested.length,
  };
  return concat([adfMstateSectH.encode(header), body]);
}

function decodeSections(bytes: Uint8Array, count: number): readonly MstateSection[] | undefined {
  const sections: MstateSection[] = [];
  let at = 0;
  while (sections.length < count && at + adfMstateSectH.size <= bytes.length) {
    const { id, size, subSects } = adfMstateSectH.decode(bytes, at);
    const start = at + adfMstateSectH.size;
    const body = bytes.slice(start, start + size);
    const content = subSects === 0 ? body : decodeSections(body, subSects);
    if (body.length < size || content === undefined) return undefined;
    sections.push({ id: String.fromCharCode(...id).replace(/\0+$/, ''), content });
    at = start + size;
  }
  return at === bytes.length && sections.length === count ? sections : undefined;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
