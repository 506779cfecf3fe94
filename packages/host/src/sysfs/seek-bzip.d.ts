declare module 'seek-bzip' {
  const bzip: {
    /** Decodes a whole bzip2 stream; throws on anything that is none. */
    decode(input: Uint8Array): Uint8Array;
  };
  // CommonJS: Node finds no named exports in it.
  export default bzip;
}
