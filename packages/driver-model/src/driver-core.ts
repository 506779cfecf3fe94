import { type Clock, VirtualClock } from './clock.js';
import { DeferredProbe } from './deferred-probe.js';
import { Device } from './device.js';
import { KernelLog } from './kernel-log.js';
import { Module, moduleNode } from './module.js';
import { Directory, mapDirectory, type SysfsNode, textFile } from './sysfs/node.js';
import { Uevents } from './uevent.js';

/** What all buses of a kernel share: log, events, time, deferred probing, modules, and the root of `/sys`. */
export class DriverCore {
  readonly log = new KernelLog();
  readonly uevents = new Uevents();
  readonly deferred = new DeferredProbe();
  /** `/sys`. Buses put their directories here; others may add theirs. */
  readonly sys = new Directory();
  readonly clock: Clock;
  readonly #modules = new Map<string, Module>();
  readonly #roots = new Map<string, Device>();
  /** Whether whoever reads and writes files has CAP_SYS_ADMIN; few files care. */
  privileged = true;
  /** Set while the system sleeps or wakes: every probe is put off. */
  probingBlocked = false;

  constructor(clock: Clock = new VirtualClock()) {
    this.clock = clock;
    this.sys.set(
      'devices',
      mapDirectory(this.#roots, (device) => deviceNode(device)),
    );
    this.sys.set(
      'module',
      mapDirectory(this.#modules, (module) => moduleNode(module)),
    );
    this.sys.directory('bus');
  }

  /** A device without bus or driver that others hang from, such as `pci0000:00`; made at the first call. */
  root(name: string): Device {
    let device = this.#roots.get(name);
    if (device === undefined) {
      device = new Device(name);
      this.#roots.set(name, device);
    }
    return device;
  }

  get modules(): ReadonlyMap<string, Module> {
    return this.#modules;
  }

  /** The module of this name in `/sys/module`, made at the first call. */
  module(name: string): Module {
    let module = this.#modules.get(name);
    if (module === undefined) {
      module = new Module(name);
      this.#modules.set(name, module);
      this.uevents.emit({
        action: 'add',
        devpath: `/module/${name}`,
        subsystem: 'module',
        env: {},
      });
    }
    return module;
  }

  /** For those who unload modules: it leaves `/sys/module`. */
  forgetModule(name: string): void {
    if (this.#modules.delete(name))
      this.uevents.emit({
        action: 'remove',
        devpath: `/module/${name}`,
        subsystem: 'module',
        env: {},
      });
  }
}

/** The directory of a device: the bus's view of it if it is on one, else its children. */
export function deviceNode(device: Device): SysfsNode {
  const own = device.bus?.node(device);
  if (own !== undefined) return own;
  return {
    kind: 'directory',
    get: (name) => {
      const child = device.children.get(name);
      if (child !== undefined) return deviceNode(child);
      return name === 'uevent' ? textFile('', 0o644) : device.entries.get(name);
    },
    *names() {
      yield 'uevent';
      yield* device.entries.names();
      yield* device.children.keys();
    },
  };
}
