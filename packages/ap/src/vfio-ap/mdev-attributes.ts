import { VfioError } from '@vfiokit/uapi';
import { formatApConfig } from '../arch/mask-grammar.js';
import { type Attribute, type AttributeTable, readOnly, writeOnly } from '../attribute.js';
import type { ApMatrixMdev } from './ap-matrix-mdev.js';
import {
  type Assignable,
  assign,
  formatControlDomains,
  formatQueues,
  setApConfig,
  unassign,
} from './assignment.js';
import type { VfioAp } from './vfio-ap.js';

function assigning(what: Assignable): Attribute<ApMatrixMdev> {
  return writeOnly((mdev, text) => assign(mdev, what, text));
}

function unassigning(what: Assignable): Attribute<ApMatrixMdev> {
  return writeOnly((mdev, text) => unassign(mdev, what, text));
}

/** The files of a mediated matrix device, `/sys/devices/vfio_ap/matrix/<uuid>/`, beside those of every mediated device. */
export const MDEV_ATTRIBUTES: AttributeTable<ApMatrixMdev> = {
  assign_adapter: assigning('adapter'),
  unassign_adapter: unassigning('adapter'),
  assign_domain: assigning('domain'),
  unassign_domain: unassigning('domain'),
  assign_control_domain: assigning('control_domain'),
  unassign_control_domain: unassigning('control_domain'),
  control_domains: readOnly(({ matrix }) => formatControlDomains(matrix.adm)),
  matrix: readOnly(({ matrix }) => formatQueues(matrix)),
  guest_matrix: readOnly(({ shadow }) => formatQueues(shadow)),
  ap_config: {
    show: ({ matrix }) => formatApConfig(matrix),
    store: setApConfig,
  },
};

/** The file of the matrix device itself, `/sys/devices/vfio_ap/matrix/`. */
export const MATRIX_DEVICE_ATTRIBUTES: AttributeTable<VfioAp> = {
  features: readOnly(({ matrixDev }) =>
    matrixDev.generation.hotPlug ? 'guest_matrix hotplug ap_config\n' : '\n',
  ),
};

/** The files of the type's directory, `mdev_supported_types/vfio_ap-passthrough/`. */
export const MDEV_TYPE_ATTRIBUTES: AttributeTable<VfioAp> = {
  name: readOnly(({ parent }) => `${parent.types[0]!.spec.prettyName}\n`),
  device_api: readOnly(({ parent }) => `${parent.driver.deviceApi}\n`),
  available_instances: readOnly(({ parent }) => `${parent.available}\n`),
  create: writeOnly((vfioAp, text) => {
    vfioAp.create(text);
  }),
};

/** The file of a queue that is bound to vfio_ap. */
export function queueStatusText(vfioAp: VfioAp, apqn: number): string {
  const queue = vfioAp.matrixDev.findQueue(apqn);
  if (queue === undefined)
    throw new VfioError('ENOENT', 'status: the queue is not bound to vfio_ap');
  return `${vfioAp.matrixDev.statusOf(queue)}\n`;
}
