/** Bytes in front of a state: its length u32 and a sum u32, little-endian. */
const HEADER = 8;
const PRIME = 0x01000193;

/** A state in a form whose reader notices any change, and where it ends. */
export function sealState(state: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(HEADER + state.length);
  const view = new DataView(sealed.buffer);
  view.setUint32(0, state.length, true);
  view.setUint32(4, sum(state), true);
  sealed.set(state, HEADER);
  return sealed;
}

/** What was sealed; undefined if it is not all there, or not what it was. What follows it does not count. */
export function unsealState(sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < HEADER) return undefined;
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.length);
  const end = HEADER + view.getUint32(0, true);
  if (end > sealed.length) return undefined;
  const state = sealed.slice(HEADER, end);
  return sum(state) === view.getUint32(4, true) ? state : undefined;
}

/** FNV-1a, with the length in it. */
function sum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5 ^ bytes.length;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PRIME);
  return hash >>> 0;
}
