/** A run of guest memory as KVM knows it (KVM_SET_USER_MEMORY_REGION). */
export interface MemorySlot {
  /** Guest physical address. */
  readonly guest: number;
  readonly size: number;
  /** Where the virtual machine monitor has it. */
  readonly address: number;
}

/** The memory of a guest, by guest physical address. */
export class GuestMemory {
  readonly #slots: MemorySlot[] = [];

  add(slot: MemorySlot): void {
    this.#slots.push(slot);
  }

  remove(slot: MemorySlot): void {
    const index = this.#slots.indexOf(slot);
    if (index !== -1) this.#slots.splice(index, 1);
  }

  /** The monitor's address of a guest address; `undefined` if there is no memory. */
  resolve(guest: number): number | undefined {
    const slot = this.#slots.find((run) => guest >= run.guest && guest < run.guest + run.size);
    return slot && slot.address + guest - slot.guest;
  }
}
