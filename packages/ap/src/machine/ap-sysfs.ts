import { VfioError } from '@vfiokit/uapi';
import { BUS_ATTRIBUTES, CARD_ATTRIBUTES, QUEUE_ATTRIBUTES } from '../bus/ap-attributes.js';
import type { ApDevice } from '../bus/ap-bus.js';
import type { ApDriver } from '../bus/ap-driver.js';
import type { ApSubsystem } from '../bus/ap-subsystem.js';
import {
  MATRIX_DEVICE_ATTRIBUTES,
  MDEV_ATTRIBUTES,
  MDEV_TYPE_ATTRIBUTES,
  queueStatusText,
} from '../vfio-ap/mdev-attributes.js';
import type { VfioAp, VfioApInstance } from '../vfio-ap/vfio-ap.js';
import {
  attributeFiles,
  directory,
  link,
  type SysfsEntries,
  type SysfsNode,
  SysfsTree,
} from './sysfs.js';

const AP_DEVICES = '/sys/devices/ap';
const MATRIX = '/sys/devices/vfio_ap/matrix';
const TYPE = 'vfio_ap-passthrough';

/** What the tree shows. */
export interface ApSysfsSource {
  readonly kernel: ApSubsystem;
  /** The module vfio_ap, while it is loaded. */
  readonly vfioAp: VfioAp | undefined;
}

/** The part of `/sys` that has to do with AP. */
export function apSysfs(source: ApSysfsSource): SysfsTree {
  return new SysfsTree(() => ({
    bus: directory(() => ({
      ap: directory(() => busEntries(source)),
      ...(source.vfioAp && {
        matrix: directory(() => ({
          devices: directory(() => ({ matrix: link(MATRIX) })),
          drivers: directory(() => ({ vfio_ap: directory(() => ({ matrix: link(MATRIX) })) })),
        })),
        mdev: directory(() => ({ devices: directory(() => mdevLinks(source.vfioAp!)) })),
      }),
    })),
    devices: directory(() => ({
      ap: directory(() => cardDirectories(source)),
      ...(source.vfioAp && {
        vfio_ap: directory(() => ({ matrix: directory(() => matrixEntries(source.vfioAp!)) })),
      }),
    })),
  }));
}

function busEntries({ kernel }: ApSysfsSource): SysfsEntries {
  const { bus } = kernel;
  return {
    ...attributeFiles(BUS_ATTRIBUTES, kernel),
    drivers_probe: writeOnlyFile('drivers_probe', (text) => {
      const device = bus.device(deviceName(text));
      if (device === undefined)
        throw new VfioError('EINVAL', `${text.trim()}: no device of the bus`);
      if (device.driver === undefined) bus.attach(device);
    }),
    devices: directory(() => {
      const links: Record<string, SysfsNode> = {};
      for (const card of bus.cards.values()) {
        links[card.name] = link(devicePath(card));
        for (const queue of card.queues.values()) links[queue.name] = link(devicePath(queue));
      }
      return links;
    }),
    drivers: directory(() =>
      Object.fromEntries(
        bus.drivers.map((driver) => [driver.name, directory(() => driverEntries(kernel, driver))]),
      ),
    ),
  };
}

function driverEntries({ bus }: ApSubsystem, driver: ApDriver): SysfsEntries {
  const links: Record<string, SysfsNode> = {};
  for (const card of bus.cards.values()) {
    if (card.driver === driver) links[card.name] = link(devicePath(card));
    for (const queue of card.queues.values())
      if (queue.driver === driver) links[queue.name] = link(devicePath(queue));
  }
  return {
    bind: writeOnlyFile('bind', (text) => bus.bind(driver, deviceName(text))),
    unbind: writeOnlyFile('unbind', (text) => bus.unbind(driver, deviceName(text))),
    ...links,
  };
}

function cardDirectories({ kernel, vfioAp }: ApSysfsSource): SysfsEntries {
  return Object.fromEntries(
    [...kernel.bus.cards.values()].map((card) => [
      card.name,
      directory(() => ({
        ...attributeFiles(CARD_ATTRIBUTES, { device: card, kernel }),
        ...driverLink(card),
        ...Object.fromEntries(
          [...card.queues.values()].map((queue) => [
            queue.name,
            directory(() => ({
              ...attributeFiles(QUEUE_ATTRIBUTES, { device: queue, kernel }),
              ...driverLink(queue),
              ...(vfioAp !== undefined &&
                queue.driver === vfioAp.driver && {
                  status: readOnlyFile('status', () => queueStatusText(vfioAp, queue.apqn)),
                }),
            })),
          ]),
        ),
      })),
    ]),
  );
}

function matrixEntries(vfioAp: VfioAp): SysfsEntries {
  return {
    ...attributeFiles(MATRIX_DEVICE_ATTRIBUTES, vfioAp),
    mdev_supported_types: directory(() => ({
      [TYPE]: directory(() => ({
        ...attributeFiles(MDEV_TYPE_ATTRIBUTES, vfioAp),
        devices: directory(() => mdevLinks(vfioAp)),
      })),
    })),
    ...Object.fromEntries(
      [...vfioAp.instances].map(([uuid, instance]) => [
        uuid,
        directory(() => mdevEntries(instance)),
      ]),
    ),
  };
}

function mdevEntries({ mdev, matrix }: VfioApInstance): SysfsEntries {
  return {
    ...attributeFiles(MDEV_ATTRIBUTES, matrix),
    mdev_type: link(`${MATRIX}/mdev_supported_types/${TYPE}`),
    remove: writeOnlyFile('remove', (text) => mdev.writeRemove(text)),
  };
}

function mdevLinks(vfioAp: VfioAp): SysfsEntries {
  return Object.fromEntries(
    [...vfioAp.instances.keys()].map((uuid) => [uuid, link(`${MATRIX}/${uuid}`)]),
  );
}

function devicePath(device: ApDevice): string {
  return device.kind === 'card'
    ? `${AP_DEVICES}/${device.name}`
    : `${AP_DEVICES}/${device.card.name}/${device.name}`;
}

function driverLink({ driver }: ApDevice): SysfsEntries {
  return driver === undefined ? {} : { driver: link(`/sys/bus/ap/drivers/${driver.name}`) };
}

/** A name as `bind` and its siblings take it: one newline behind it is fine. */
function deviceName(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

function writeOnlyFile(name: string, write: (text: string) => void): SysfsNode {
  return {
    kind: 'file',
    read: () => {
      throw new VfioError('EACCES', `${name}: write-only`);
    },
    write: (text) => {
      if (text !== '') write(text);
    },
  };
}

function readOnlyFile(name: string, read: () => string): SysfsNode {
  return {
    kind: 'file',
    read,
    write: () => {
      throw new VfioError('EACCES', `${name}: read-only`);
    },
  };
}
