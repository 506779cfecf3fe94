import type { ApHardware, HardwareSpec } from '../arch/hardware.js';
import type { ApBusParameters } from '../bus/ap-bus.js';
import { ApSubsystem } from '../bus/ap-subsystem.js';
import { MatrixBus, type Reclaim } from '../matrix-bus/matrix-bus.js';
import { MatrixBusDevices } from '../matrix-bus/matrix-bus-devices.js';
import { QueueInterrupts } from '../passthrough/queue-interrupts.js';
import { QueueReset } from '../passthrough/queue-reset.js';
import { Partition } from './partition.js';

/** A logical partition and a Linux with a matrix bus. */
export interface MatrixBusMachineSpec {
  readonly hardware: HardwareSpec | ApHardware;
  readonly parameters?: ApBusParameters;
  readonly reclaim?: Reclaim;
}

/** A partition whose Linux has a matrix bus below its AP bus. */
export class MatrixBusMachine extends Partition {
  readonly matrixBus: MatrixBus;
  readonly devices: MatrixBusDevices;
  readonly kernel: ApSubsystem;

  constructor({ hardware: spec, parameters, reclaim = 'strict' }: MatrixBusMachineSpec) {
    super(spec);
    const { core, clock, hardware, mdevBus } = this;
    this.matrixBus = new MatrixBus({
      ap: hardware,
      reset: new QueueReset(hardware, clock, core.log),
      interrupts: new QueueInterrupts(hardware, clock),
      log: core.log,
      reclaim,
    });
    this.devices = new MatrixBusDevices(core, this.matrixBus, mdevBus, this.groups, clock);
    this.kernel = new ApSubsystem(
      { core, ap: this.matrixBus.hostInstructions, clock },
      parameters,
      hardware.sclp,
    );
    const { bus, scanner } = this.kernel;
    this.matrixBus.attachHost({
      release: (apqns) => {
        for (const apqn of apqns) {
          const queue = bus.queue(apqn);
          if (queue !== undefined) bus.removeDevice(queue);
        }
      },
      rescan: () => scanner.force(),
    });
    this.kernel.start();
  }

  /** The configuration may have changed: the matrix bus looks first, the AP bus above it then. */
  rescan(): void {
    this.matrixBus.scan();
    this.kernel.scanner.force();
  }

  override crash(): void {
    this.kernel.stop();
    super.crash();
  }
}
