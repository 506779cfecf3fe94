declare module 'seek-bzip' {
  /** Decodes a whole bzip2 stream; throws on anything that is none. */
  export function decode(input: Uint8Array): Uint8Array;
}
