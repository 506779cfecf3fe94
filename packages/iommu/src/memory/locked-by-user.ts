/** Bytes that the users of a host have locked through iommufd (struct user_struct's locked_vm). */
export class LockedByUser {
  readonly #bytes = new Map<number, number>();

  of(uid: number): number {
    return this.#bytes.get(uid) ?? 0;
  }

  add(uid: number, bytes: number): void {
    this.#bytes.set(uid, this.of(uid) + bytes);
  }
}
