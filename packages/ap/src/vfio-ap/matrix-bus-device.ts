import { attributeFile, Bus, Device, type Driver, type DriverCore } from '@vfiokit/driver-model';
import { plainBusType } from '../bus/plain-bus-type.js';

const BUS = 'matrix';

/** The features of vfio_ap that management software looks for. */
const FEATURES = 'guest_matrix hotplug ap_config\n';

/**
 * `/sys/devices/vfio_ap/matrix` on the bus `matrix`: the parent of the mediated devices.
 *
 * There is one such device and one such driver, and nothing to match: the bus exists because libraries that list devices
 * expect every one to belong to a subsystem.
 */
export class MatrixBusDevice implements Disposable {
  readonly device: Device;
  readonly #bus: Bus<Device, Driver<Device>>;
  readonly #driver: Driver<Device> = {
    name: 'vfio_ap',
    module: 'vfio_ap',
    suppressBindAttrs: true,
  };

  constructor(core: DriverCore, hotPlug: boolean) {
    this.device = new Device('matrix', core.root('vfio_ap'));
    if (hotPlug)
      this.device.entries.set(
        'features',
        attributeFile({ name: 'features', mode: 0o444, show: () => FEATURES }, this.device),
      );
    this.#bus = new Bus(core, plainBusType(BUS));
    this.#bus.register(this.#driver);
    void this.#bus.add(this.device);
  }

  [Symbol.dispose](): void {
    void this.#bus.removeDevice(this.device);
    void this.#bus.unregister(this.#driver);
    this.#bus.core.sys.directory('bus').delete(BUS);
  }
}
