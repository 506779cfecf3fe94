import type { Blocking } from '@vfiokit/driver-model';
import type { ApHardware, HardwareSpec } from '../arch/hardware.js';
import type { ApMatrix } from '../arch/matrix.js';
import type { ApBusParameters } from '../bus/ap-bus.js';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import type { Kvm } from '../kvm/kvm.js';
import type { Partition } from '../machine/partition.js';
import type { Assignable } from '../passthrough/assignable.js';
import type { DiagramNode } from '../show/diagram.js';
import type { EmulatedDevice } from '../vfio/emulated-device.js';
import type { VfioApGeneration } from '../vfio-ap/generation.js';

/** What a machine is booted with. */
export interface DesignSpec {
  readonly hardware: HardwareSpec | ApHardware;
  readonly parameters?: ApBusParameters;
  /** Which generation of vfio_ap; of no concern to other designs. */
  readonly generation?: VfioApGeneration;
}

/**
 * A way of giving queues to guests, of which several can be compared: whose a queue is, who may change that, and what
 * happens to a guest meanwhile.
 *
 * Provide one under the token `AP_DESIGNS` and every scenario runs on it too.
 */
export interface ApDesign {
  /** Short, as command lines and tables call it. */
  readonly name: string;
  /** What it is, in a sentence. */
  readonly title: string;
  /** Boots a machine of this design, with everything loaded that passing queues needs. */
  boot(spec: DesignSpec): ApWorld;
}

/** A matrix of a guest: what is assigned to it, and what a guest has of it now. */
export interface MatrixView {
  readonly id: string;
  readonly assigned: ApMatrix;
  readonly passed: ApMatrix;
  /** The machine that uses it. */
  readonly kvm: Kvm | undefined;
  /** What a VMM opens. */
  readonly device: EmulatedDevice;
}

/**
 * A running machine of a design, with the words that all designs understand. What is refused throws a VfioError with the
 * errno that a system call would give.
 */
export interface ApWorld {
  readonly design: ApDesign;
  readonly partition: Partition;
  /** The host's own AP bus. */
  readonly kernel: ApSubsystem;
  /** The matrices of guests, by the name that they were created with. */
  readonly matrices: ReadonlyMap<string, MatrixView>;
  /** Makes an empty matrix. */
  create(id: string): void;
  /** Takes a matrix away. A promise if that blocks until its user lets go. */
  remove(id: string): Blocking<void>;
  assign(id: string, what: Assignable, number: number): void;
  unassign(id: string, what: Assignable, number: number): void;
  /** Takes an adapter or a domain from the host's drivers, where that is a step of its own. */
  free(what: 'adapter' | 'domain', number: number): void;
  /** Wants an adapter or a domain back for the host, by whatever way the design has for that. */
  reclaim(what: 'adapter' | 'domain', number: number): void;
  /** Has the host look at its configuration. */
  rescan(): void;
  /** The part of the picture below the hardware: how host, matrices and guests hang together in this design. */
  drawHost(): DiagramNode;
  /** What only today's kernel has; `undefined` in other designs. */
  readonly vfioAp?: VfioApControls;
}

/** The controls of today's kernel that have no counterpart elsewhere. */
export interface VfioApControls {
  load(): void;
  unload(): void;
  setMask(which: 'apmask' | 'aqmask', text: string): void;
  setApConfig(id: string, text: string): void;
  override(queue: string, driver: string): void;
  bind(queue: string, driver: string): void;
  unbind(queue: string): void;
  probe(queue: string): void;
}
