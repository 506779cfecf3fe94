import type { UserMapping, VfioFile } from '@vfiokit/uapi';

/** Memory that is a file, as memfd_create(2) makes it: it outlives whoever maps it. */
export class MemFile implements VfioFile {
  readonly kind = 'other';
  /** Its contents, as memory of which offsets are the addresses. */
  readonly memory: UserMapping;

  constructor(bytes: Uint8Array) {
    this.memory = { address: 0, size: bytes.length, writable: true, bytes };
  }

  close(): void {}
}
