import {
  type Attribute,
  attempt,
  attributeTable,
  kstrtoul,
  parseBoolean,
} from '@vfiokit/driver-model';
import { EINVAL, EIO, VfioError } from '@vfiokit/uapi';
import { AP_QUEUE_STATUS, AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import { formatFunctions } from '../arch/tapq-info.js';
import type { ApAttributes } from './ap-bus-type.js';
import type { ApCard } from './ap-card.js';
import type { PermMask } from './ap-perms.js';
import type { ApQueue } from './ap-queue.js';
import type { ApSubsystem } from './ap-subsystem.js';
import { finish } from './phases.js';

const RW = 0o644;
const RO = 0o444;

/** Nanoseconds. */
const LONGEST_POLL = 120_000_000_000;

/** The files of an AP bus, its cards and its queues (ap_bus.c, ap_card.c, ap_queue.c). */
export function apAttributes(kernel: ApSubsystem): ApAttributes {
  return {
    bus: busAttributes(kernel),
    card: attributeTable(cardAttributes(kernel)),
    queue: attributeTable(queueAttributes(kernel)),
  };
}

/** The files of `/sys/bus/ap/`. */
function busAttributes(kernel: ApSubsystem): readonly Attribute<void>[] {
  const { log } = kernel.core;
  const permMask = (name: PermMask): Attribute<void> => ({
    name,
    mode: RW,
    show: () => `${kernel.bus.perms[name]}\n`,
    store: (_, text) => attempt(log, () => finish(kernel.bus.storeMask(name, text))),
  });
  const shown = (name: string, show: () => string): Attribute<void> => ({ name, mode: RO, show });
  const hostMask = (name: string, mask: 'apm' | 'aqm' | 'adm'): Attribute<void> =>
    shown(name, () => `${kernel.scanner.qci?.[mask] ?? 'not supported'}\n`);
  return [
    permMask('apmask'),
    permMask('aqmask'),
    {
      name: 'ap_domain',
      mode: RW,
      show: () => `${kernel.scanner.defaultDomain}\n`,
      store: (_, text) =>
        attempt(log, () => {
          const domain = scanInteger(text, 'ap_domain');
          if (domain > kernel.scanner.highest.apqi || !kernel.bus.perms.aqmask.has(domain))
            throw new VfioError(
              'EINVAL',
              `ap_domain: ${domain} is no domain of the host; see aqmask`,
            );
          kernel.scanner.defaultDomain = domain;
        }),
    },
    hostMask('ap_adapter_mask', 'apm'),
    hostMask('ap_usage_domain_mask', 'aqm'),
    hostMask('ap_control_domain_mask', 'adm'),
    shown('ap_max_adapter_id', () => `${kernel.scanner.highest.apid}\n`),
    shown('ap_max_domain_id', () => `${kernel.scanner.highest.apqi}\n`),
    shown('ap_interrupts', () => flag(kernel.bus.environment.interrupts)),
    {
      name: 'config_time',
      mode: RW,
      show: () => `${kernel.scanner.configTime}\n`,
      store: (_, text) =>
        attempt(log, () => {
          const seconds = scanInteger(text, 'config_time');
          if (seconds < 5 || seconds > 120)
            throw new VfioError('EINVAL', `config_time: ${seconds} is not in 5..120`);
          kernel.scanner.setConfigTime(seconds);
        }),
    },
    {
      name: 'poll_thread',
      mode: RW,
      show: () => flag(kernel.settings.pollThread),
      store: (_, text) => {
        const on = parseBoolean(text);
        if (on === undefined) return -EINVAL;
        kernel.settings.pollThread = on;
        return 0;
      },
    },
    {
      name: 'poll_timeout',
      mode: RW,
      show: () => `${kernel.settings.pollTimeout}\n`,
      store: (_, text) =>
        attempt(log, () => {
          const nanoseconds = kstrtoul(text, 'poll_timeout');
          if (nanoseconds > LONGEST_POLL)
            throw new VfioError('EINVAL', `poll_timeout: above ${LONGEST_POLL}`);
          kernel.settings.pollTimeout = nanoseconds;
        }),
    },
    {
      name: 'scans',
      mode: RW,
      show: () => `${kernel.bus.scans}\n`,
      store: () => {
        kernel.scanner.force();
        return 0;
      },
    },
    shown('bindings', () => {
      const { bound, total, complete } = kernel.bus.bindings;
      return `${bound}/${total}${complete ? ' (complete)' : ''}\n`;
    }),
    shown('bindings_complete_count', () => `${kernel.bus.completions}\n`),
    shown('features', () => {
      const { qci } = kernel.scanner;
      if (qci === undefined) return '-\n';
      const { apsc, apxa, qact, rc8a, apsb } = qci.flags;
      const features = { APSC: apsc, APXA: apxa, QACT: qact, RC8A: rc8a, APSB: apsb };
      const present = Object.entries(features).filter(([, set]) => set);
      return `${present.map(([name]) => name).join(' ')}\n`;
    }),
  ];
}

/** The files of a card, such as `/sys/devices/ap/card05/`, whatever its driver. */
function cardAttributes(kernel: ApSubsystem): readonly Attribute<ApCard>[] {
  const shown = (name: string, show: (card: ApCard) => unknown): Attribute<ApCard> => ({
    name,
    mode: RO,
    show: (card) => `${show(card)}\n`,
  });
  return [
    shown('hwtype', (card) => card.type),
    shown('raw_hwtype', (card) => card.rawType),
    shown('depth', (card) => card.info.depthMinusOne + 1),
    shown('ap_functions', (card) => formatFunctions(card.info)),
    {
      name: 'request_count',
      mode: RW,
      show: (card) => `${total(card, (queue) => queue.requestCount)}\n`,
      store: (card) => {
        for (const queue of card.queues.values()) queue.resetRequestCount();
        return 0;
      },
    },
    shown('requestq_count', (card) => total(card, (queue) => queue.counts.requestq)),
    shown('pendingq_count', (card) => total(card, (queue) => queue.counts.pendingq)),
    shown('modalias', (card) => card.modalias),
    {
      name: 'config',
      mode: RW,
      show: (card) => flag(card.config),
      store: (card, text) =>
        attempt(kernel.core.log, () => {
          const value = scanInteger(text, `${card.name}: config`);
          if (value > 1) throw new VfioError('EINVAL', `${card.name}: config: write 0 or 1`);
          kernel.configure(card, value === 1);
        }),
    },
    shown('chkstop', (card) => Number(card.chkstop)),
    shown('max_msg_size', (card) => (card.info.maxMessagePages || 3) * 4096),
  ];
}

/** The files of a queue, such as `/sys/devices/ap/card05/05.0004/`, whatever its driver. */
function queueAttributes(kernel: ApSubsystem): readonly Attribute<ApQueue>[] {
  const shown = (name: string, show: (queue: ApQueue) => unknown): Attribute<ApQueue> => ({
    name,
    mode: RO,
    show: (queue) => `${show(queue)}\n`,
  });
  const status = (queue: ApQueue): number => kernel.bus.ap.tapq(queue.apqn);
  return [
    {
      name: 'request_count',
      mode: RW,
      show: (queue) => `${queue.requestCount}\n`,
      store: (queue) => {
        queue.resetRequestCount();
        return 0;
      },
    },
    shown('requestq_count', (queue) => queue.counts.requestq),
    shown('pendingq_count', (queue) => queue.counts.pendingq),
    {
      name: 'reset',
      mode: RW,
      show: ({ machineState }) =>
        machineState === 'RESET_START' || machineState === 'RESET_WAIT'
          ? 'Reset in progress.\n'
          : 'No Reset Timer set.\n',
      store: (queue) => {
        queue.restart();
        return 0;
      },
    },
    shown('interrupt', (queue) =>
      (status(queue) & AP_QUEUE_STATUS.IRQ_ENABLED) === 0
        ? 'Interrupts disabled.'
        : 'Interrupts enabled.',
    ),
    shown('config', (queue) => Number(queue.config)),
    shown('chkstop', (queue) => Number(queue.chkstop)),
    {
      name: 'ap_functions',
      mode: RO,
      show: (queue) => {
        const info = kernel.bus.ap.tapqInfo(queue.apqn);
        if (responseCode(status(queue)) > AP_RESPONSE.BUSY || info === undefined) return -EIO;
        return `${formatFunctions(info)}\n`;
      },
    },
    {
      name: 'driver_override',
      mode: RW,
      show: (queue) => `${queue.driverOverride ?? ''}\n`,
      store: (queue, text) =>
        attempt(kernel.core.log, () => kernel.bus.setDriverOverride(queue, text)),
    },
  ];
}

function total(card: ApCard, count: (queue: ApQueue) => number): number {
  let sum = 0;
  for (const queue of card.queues.values()) sum += count(queue);
  return sum;
}

function flag(set: boolean): string {
  return set ? '1\n' : '0\n';
}

/** The number at the beginning of a text, as sscanf takes it: what follows is not looked at. */
function scanInteger(text: string, subject: string): number {
  const digits = /^\s*\+?(0[xX][0-9a-fA-F]+|[0-9]+)/.exec(text)?.[1];
  if (digits === undefined)
    throw new VfioError('EINVAL', `${subject}: write a number that is not negative`);
  return kstrtoul(digits, subject);
}
