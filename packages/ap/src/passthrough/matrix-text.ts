import { PAGE_SIZE } from '@vfiokit/driver-model';
import { formatApid, formatApqi } from '../arch/apqn.js';
import type { ApMask } from '../arch/mask.js';
import type { QueueMatrix } from '../arch/matrix.js';

/**
 * The text of `matrix` and `guest_matrix`: the queues of a product, or what there is of one (vfio_ap_mdev_matrix_show).
 * It ends just below a page.
 */
export function formatQueues({ apm, aqm }: QueueMatrix): string {
  let lines: Iterable<string>;
  if (aqm.isEmpty) lines = apm.ids.map((apid) => `${formatApid(apid)}.\n`);
  else if (apm.isEmpty) lines = aqm.ids.map((apqi) => `.${formatApqi(apqi)}\n`);
  else lines = productLines({ apm, aqm });
  let text = '';
  for (const line of lines) {
    if (text.length + line.length >= PAGE_SIZE) break;
    text += line;
  }
  return text;
}

function* productLines({ apm, aqm }: QueueMatrix): Generator<string> {
  for (const apid of apm.ids)
    for (const apqi of aqm.ids) yield `${formatApid(apid)}.${formatApqi(apqi)}\n`;
}

/** The text of `control_domains`. */
export function formatControlDomains(adm: ApMask): string {
  return adm.ids.map((id) => `${formatApqi(id)}\n`).join('');
}
