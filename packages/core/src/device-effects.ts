import type { ConfigEffects } from './config/effects.js';
import type { OpenDevice } from './open-device.js';

/** What an open device does when a user writes configuration registers that mean more than their bits. */
export class DeviceEffects implements ConfigEffects {
  constructor(private readonly device: OpenDevice) {}

  suspendMemory(): void {
    this.device.suspendMemory();
  }

  resumeMemory(): void {
    this.device.resumeMemory();
  }

  setPowerState(state: number): void {
    this.device.core.power.set(state);
  }

  resetFunction(): void {
    const { core, pdev } = this.device;
    core.memoryLock.run(() => pdev.tryResetFunction());
  }

  maskIntx(): void {
    this.device.interrupts.intx.mask();
  }

  unmaskIntx(): void {
    this.device.interrupts.intx.unmask();
  }

  get msiActive(): boolean {
    return this.device.interrupts.msi.active;
  }

  get msiQmax(): number {
    return this.device.core.msiQmax;
  }

  readVpd(offset: number, into: Uint8Array): number {
    return this.device.pdev.vpd.read(offset, into);
  }

  writeVpd(offset: number, from: Uint8Array): number {
    return this.device.pdev.vpd.write(offset, from);
  }

  get maxPayload(): number {
    return this.device.pdev.express.maxPayload;
  }

  setReadRequest(bytes: number): void {
    this.device.pdev.express.setReadRequest(bytes);
  }
}
