import { EBUSY, EINVAL } from '@vfiokit/uapi';

/** Asked when the line is asserted; whether the interrupt was this handler's. */
export type IrqHandler = () => boolean;

interface IrqAction {
  readonly owner: object;
  readonly handler: IrqHandler;
  readonly shared: boolean;
}

/**
 * A level triggered interrupt line of the machine, and who listens to it (kernel/irq: manage.c, handle_fasteoi_irq).
 *
 * While the line is asserted and not disabled its handlers are called; a level that nobody silences does not fire again
 * until something changes, where the kernel would give up after a hundred thousand rounds.
 */
export class IrqLine {
  readonly #sources = new Set<object>();
  #actions: readonly IrqAction[] = [];
  #disabled = 0;
  #running = false;
  #again = false;

  /** 0; `-EBUSY` unless everybody who listens agreed to share; `-EINVAL` for a second request of the same owner. */
  request(owner: object, handler: IrqHandler, shared: boolean): number {
    if (this.#actions.some((action) => action.owner === owner)) return -EINVAL;
    if (this.#actions.some((action) => !action.shared || !shared)) return -EBUSY;
    // The first listener starts the line up, which forgets how often it was disabled.
    if (this.#actions.length === 0) this.#disabled = 0;
    this.#actions = [...this.#actions, { owner, handler, shared }];
    this.#fire();
    return 0;
  }

  free(owner: object): void {
    this.#actions = this.#actions.filter((action) => action.owner !== owner);
  }

  /** disable_irq_nosync: nests. */
  disable(): void {
    this.#disabled += 1;
  }

  /** enable_irq: a level that is still asserted fires again. */
  enable(): void {
    if (this.#disabled === 0) return;
    this.#disabled -= 1;
    this.#fire();
  }

  /** A function drives the line, or lets it go. */
  set(source: object, asserted: boolean): void {
    if (asserted) {
      this.#sources.add(source);
      this.#fire();
    } else {
      this.#sources.delete(source);
    }
  }

  #fire(): void {
    if (this.#running) {
      // A handler that enables the line, or a device that asserts it meanwhile, is served after this round.
      this.#again = true;
      return;
    }
    this.#running = true;
    try {
      do {
        this.#again = false;
        if (!this.#deliverable) return;
        let handled = false;
        for (const { handler } of this.#actions) handled = handler() || handled;
        if (!handled) return;
      } while (this.#again || this.#deliverable);
    } finally {
      this.#running = false;
    }
  }

  get #deliverable(): boolean {
    return this.#sources.size > 0 && this.#disabled === 0 && this.#actions.length > 0;
  }
}

/** The interrupt lines of a machine, by number. */
export class IrqLines {
  readonly #lines = new Map<number, IrqLine>();

  line(irq: number): IrqLine {
    let line = this.#lines.get(irq);
    if (line === undefined) {
      line = new IrqLine();
      this.#lines.set(irq, line);
    }
    return line;
  }
}
