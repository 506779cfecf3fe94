import { kstrtoul } from '@vfiokit/mdev';
import { VfioError } from '@vfiokit/uapi';
import { AP_QUEUE_STATUS, AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import { formatFunctions } from '../arch/tapq-info.js';
import { type AttributeTable, readOnly } from '../attribute.js';
import type { ApCard } from './ap-card.js';
import type { ApQueue } from './ap-queue.js';
import type { ApSubsystem } from './ap-subsystem.js';

const NOT_SUPPORTED = 'not supported\n';
const LONGEST_POLL = 120_000_000_000;

/** The files of `/sys/bus/ap/`. */
export const BUS_ATTRIBUTES: AttributeTable<ApSubsystem> = {
  apmask: {
    show: ({ bus }) => `${bus.perms.apmask}\n`,
    store: ({ bus }, text) => bus.setMask('apmask', text),
  },
  aqmask: {
    show: ({ bus }) => `${bus.perms.aqmask}\n`,
    store: ({ bus }, text) => bus.setMask('aqmask', text),
  },
  ap_domain: {
    show: ({ scanner }) => `${scanner.defaultDomain}\n`,
    store: ({ bus, scanner }, text) => {
      const domain = integer(text, 'ap_domain');
      if (domain < 0 || domain > scanner.highest.apqi || !bus.perms.aqmask.has(domain))
        throw new VfioError(
          'EINVAL',
          `ap_domain: ${domain} is no domain of the host's; see aqmask`,
        );
      scanner.defaultDomain = domain;
    },
  },
  ap_adapter_mask: readOnly(({ scanner }) => mask(scanner.qci?.apm)),
  ap_usage_domain_mask: readOnly(({ scanner }) => mask(scanner.qci?.aqm)),
  ap_control_domain_mask: readOnly(({ scanner }) => mask(scanner.qci?.adm)),
  ap_max_adapter_id: readOnly(({ scanner }) => `${scanner.highest.apid}\n`),
  ap_max_domain_id: readOnly(({ scanner }) => `${scanner.highest.apqi}\n`),
  ap_interrupts: readOnly(({ bus }) => flag(bus.environment.interrupts)),
  config_time: {
    show: ({ scanner }) => `${scanner.configTime}\n`,
    store: ({ scanner }, text) => {
      const seconds = integer(text, 'config_time');
      if (seconds < 5 || seconds > 120)
        throw new VfioError('EINVAL', `config_time: ${seconds} is not in 5..120`);
      scanner.configTime = seconds;
      scanner.rearmTimer();
    },
  },
  poll_thread: {
    show: ({ settings }) => flag(settings.pollThread),
    store: ({ settings }, text) => {
      settings.pollThread = boolean(text, 'poll_thread');
    },
  },
  poll_timeout: {
    show: ({ settings }) => `${settings.pollTimeout}\n`,
    store: ({ settings }, text) => {
      const nanoseconds = kstrtoul(text, 'poll_timeout');
      if (nanoseconds > LONGEST_POLL)
        throw new VfioError('EINVAL', `poll_timeout: ${nanoseconds} is above ${LONGEST_POLL}`);
      settings.pollTimeout = nanoseconds;
    },
  },
  scans: {
    show: ({ bus }) => `${bus.scans}\n`,
    store: ({ scanner }) => scanner.force(),
  },
  bindings: readOnly(({ bus }) => {
    const { bound, total, complete } = bus.bindings;
    return `${bound}/${total}${complete ? ' (complete)' : ''}\n`;
  }),
  bindings_complete_count: readOnly(({ bus }) => `${bus.completions}\n`),
  features: readOnly(({ scanner }) => {
    const { qci } = scanner;
    if (qci === undefined) return '-\n';
    const { apsc, apxa, qact, rc8a, apsb } = qci.flags;
    const present = { APSC: apsc, APXA: apxa, QACT: qact, RC8A: rc8a, APSB: apsb };
    const names = Object.entries(present).filter(([, set]) => set);
    return `${names.map(([name]) => name).join(' ')}\n`;
  }),
};

/** A card or queue together with the kernel that it belongs to. */
export interface DeviceOf<T> {
  readonly device: T;
  readonly kernel: ApSubsystem;
}

/** The files of a card, such as `/sys/devices/ap/card05/`. */
export const CARD_ATTRIBUTES: AttributeTable<DeviceOf<ApCard>> = {
  hwtype: readOnly(({ device }) => `${device.type}\n`),
  raw_hwtype: readOnly(({ device }) => `${device.rawType}\n`),
  depth: readOnly(({ device }) => `${device.info.depthMinusOne + 1}\n`),
  ap_functions: readOnly(({ device }) => `${formatFunctions(device.info)}\n`),
  request_count: {
    show: ({ device }) => `${sum(device, (queue) => queue.requestCount)}\n`,
    store: ({ device }) => {
      for (const queue of device.queues.values()) queue.resetRequestCount();
    },
  },
  requestq_count: readOnly(({ device }) => `${sum(device, (queue) => queue.counts.requestq)}\n`),
  pendingq_count: readOnly(({ device }) => `${sum(device, (queue) => queue.counts.pendingq)}\n`),
  modalias: readOnly(({ device }) => `${device.modalias}\n`),
  config: {
    show: ({ device }) => flag(device.config),
    store: ({ device, kernel }, text) => kernel.configure(device, bit(text, 'config')),
  },
  chkstop: readOnly(({ device }) => flag(device.chkstop)),
  max_msg_size: readOnly(({ device }) => `${(device.info.maxMessagePages || 3) * 4096}\n`),
};

/** The files of a queue, such as `/sys/devices/ap/card05/05.0004/`, whatever its driver. */
export const QUEUE_ATTRIBUTES: AttributeTable<DeviceOf<ApQueue>> = {
  request_count: {
    show: ({ device }) => `${device.requestCount}\n`,
    store: ({ device }) => device.resetRequestCount(),
  },
  requestq_count: readOnly(({ device }) => `${device.counts.requestq}\n`),
  pendingq_count: readOnly(({ device }) => `${device.counts.pendingq}\n`),
  reset: {
    show: ({ device }) =>
      device.machineState === 'RESET_START' || device.machineState === 'RESET_WAIT'
        ? 'Reset in progress.\n'
        : 'No Reset Timer set.\n',
    store: ({ device }) => device.restart(),
  },
  interrupt: readOnly(({ device, kernel }) =>
    (kernel.bus.ap.tapq(device.apqn) & AP_QUEUE_STATUS.IRQ_ENABLED) === 0
      ? 'Interrupts disabled.\n'
      : 'Interrupts enabled.\n',
  ),
  config: readOnly(({ device }) => flag(device.config)),
  chkstop: readOnly(({ device }) => flag(device.chkstop)),
  ap_functions: readOnly(({ device, kernel }) => {
    const code = responseCode(kernel.bus.ap.tapq(device.apqn));
    const info = kernel.bus.ap.tapqInfo(device.apqn);
    if (code > AP_RESPONSE.BUSY || info === undefined)
      throw new VfioError('EIO', `${device.name}: ap_functions: the queue does not answer`);
    return `${formatFunctions(info)}\n`;
  }),
  driver_override: {
    show: ({ device }) => `${device.driverOverride ?? ''}\n`,
    store: ({ device, kernel }, text) => kernel.bus.setDriverOverride(device, text),
  },
};

function sum(card: ApCard, count: (queue: ApQueue) => number): number {
  let total = 0;
  for (const queue of card.queues.values()) total += count(queue);
  return total;
}

function mask(value: { toString(): string } | undefined): string {
  return value === undefined ? NOT_SUPPORTED : `${value}\n`;
}

function flag(set: boolean): string {
  return set ? '1\n' : '0\n';
}

/** One digit, 0 or 1, at the beginning; what follows is not looked at, as with sscanf. */
function bit(text: string, attribute: string): boolean {
  const value = /^\s*([01])(?![0-9])/.exec(text)?.[1];
  if (value === undefined) throw new VfioError('EINVAL', `${attribute}: write 0 or 1`);
  return value === '1';
}

function integer(text: string, attribute: string): number {
  const match = /^\s*([+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+))/.exec(text);
  if (match === null) throw new VfioError('EINVAL', `${attribute}: write a number`);
  const digits = match[1]!.replace(/^[+-]/, '');
  const value = kstrtoul(digits, attribute);
  return match[1]!.startsWith('-') ? -value : value;
}

/** What the kernel's kstrtobool takes: the first letter decides, `on` and `off` the first two. */
function boolean(text: string, attribute: string): boolean {
  if (/^(?:[yYtT1]|[oO][nN])/.test(text)) return true;
  if (/^(?:[nNfF0]|[oO][fF])/.test(text)) return false;
  throw new VfioError('EINVAL', `${attribute}: write 0 or 1`);
}
