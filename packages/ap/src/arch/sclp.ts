/** The console of the machine, as far as a kernel can ask it for something (SCLP). */
export interface Sclp {
  /** Whether it takes such requests at all. */
  readonly available: boolean;
  /** Configures an adapter or puts it into standby; false if rejected. */
  configure(apid: number, configured: boolean): boolean;
}

/** A console that does what its operator has decided. */
export class SclpConsole implements Sclp {
  /** What it does with requests. */
  mode: 'accepts' | 'rejects' | 'absent' = 'accepts';

  /** @param carryOut configures an adapter; false if there is none. */
  constructor(private readonly carryOut: (apid: number, configured: boolean) => boolean) {}

  get available(): boolean {
    return this.mode !== 'absent';
  }

  configure(apid: number, configured: boolean): boolean {
    return this.mode === 'accepts' && this.carryOut(apid, configured);
  }
}
