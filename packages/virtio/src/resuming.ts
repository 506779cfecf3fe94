import { type MigrationStream, RecordReader } from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import { TAG_DEVICE_PARTS } from './saving.js';
import { type AdminMember, devPartsObject } from './virtio-pci.js';

const INITIAL_BUFFER = 1 << 20;
/** Bytes of {@link devPartsObject}. */
const HEADER = 8;

/** A device's state on its way in: every complete record is sent to the device (virtio/migrate.c: virtiovf_resume_write). */
export class DevicePartsLoader implements MigrationStream {
  readonly #reader = new RecordReader({
    [TAG_DEVICE_PARTS]: {
      room: (size) => this.#room(size),
      complete: (record) =>
        this.member.setDevParts(this.#buffer.subarray(0, HEADER + record.length)),
    },
  });
  /** The object's header, and the record that is being filled behind it. */
  #buffer: Uint8Array;

  private constructor(
    private readonly member: AdminMember,
    private readonly object: number,
  ) {
    this.#buffer = new Uint8Array(INITIAL_BUFFER);
    this.#buffer.set(devPartsObject(object));
  }

  /** @throws VfioError what the device refuses with. */
  static begin(name: string, member: AdminMember, object: number): DevicePartsLoader {
    const created = member.createDevParts(object, 'set');
    if (created < 0) throw VfioError.fromErrno(created, `${name}: its state can't be written`);
    return new DevicePartsLoader(member, object);
  }

  write(from: Uint8Array): number {
    return this.#reader.write(from);
  }

  end(): void {
    this.member.destroyDevParts(this.object);
  }

  #room(size: number): Uint8Array {
    if (this.#buffer.length < HEADER + size) {
      this.#buffer = new Uint8Array(HEADER + size);
      this.#buffer.set(devPartsObject(this.object));
    }
    return this.#buffer.subarray(HEADER);
  }
}
