import { apqnOf } from '../arch/apqn.js';
import { EMPTY_QCI, highestIds, type QciInfo, qciUsable, sameQci } from '../arch/qci.js';
import { AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import { CARD_INFO_MASK, encodeTapqInfo, type TapqInfo } from '../arch/tapq-info.js';
import type { ApBus } from './ap-bus.js';
import { ApCard } from './ap-card.js';
import { NEWEST_TYPE, OLDEST_TYPE } from './ap-driver.js';
import { ApQueue } from './ap-queue.js';
import { finish, type Phases } from './phases.js';

/** The functions of a card in what TAPQ tells. */
const FUNCTION_BITS = CARD_INFO_MASK & 0xffff_ffff_0000_0000n;

/** How a queue answers TAPQ, as far as the scan cares. */
type Presence = 'absent' | 'standby' | 'checkstopped' | 'operational';

/** Brings the devices of an AP bus in line with the configuration (ap_bus.c: ap_scan_bus). */
export class ApScanner {
  #info: QciInfo;
  #scanning = false;
  #initial = false;
  /** The default domain; -1 while none is chosen. */
  defaultDomain: number;
  #configTime = 30;
  #cancelTimer: (() => void) | undefined;

  constructor(private readonly bus: ApBus) {
    this.#info = bus.ap.qci() ?? EMPTY_QCI;
    this.defaultDomain = bus.parameters.domain ?? -1;
  }

  /** The configuration that the last scan found; `undefined` where QCI cannot be used. */
  get qci(): QciInfo | undefined {
    return qciUsable(this.#info) ? this.#info : undefined;
  }

  /** The highest ids that a scan looks at. A limit of 0 is taken for none given. */
  get highest(): { readonly apid: number; readonly apqi: number } {
    const { apid, apqi } = highestIds(this.qci);
    return { apid: apid || 63, apqi: apqi || 15 };
  }

  /** The first scan, while the kernel starts. It compares with what was read right before, and so reports no change. */
  start(): void {
    this.#initial = true;
    finish(this.scan());
  }

  /**
   * Scans now, as a write to `scans` does. Before the first scan, and while one is under way, that is nothing.
   */
  force(): void {
    if (this.#initial && !this.#scanning) finish(this.scan());
  }

  /** The kernel ends: no further scan. */
  stop(): void {
    this.#initial = false;
    this.#cancelTimer?.();
  }

  /** One scan, adapter by adapter. Between two of them others may come in. */
  *scan(): Phases {
    this.#scanning = true;
    this.#cancelTimer?.();
    const { bus } = this;
    const previous = this.#info;
    const next = bus.ap.qci();
    const changed = qciUsable(next) && !sameQci(previous, next);
    if (changed) {
      this.#info = next;
      if (!previous.apm.covers(next.apm) || !previous.aqm.covers(next.aqm)) bus.armCompletion();
      for (const driver of bus.drivers.values()) driver.onConfigChanged?.(next, previous);
    }
    this.#chooseDomain();
    for (let apid = 0; apid <= this.highest.apid; apid++) {
      if (!bus.cards.has(apid) && !this.#configured('apm', apid)) continue;
      yield `scan adapter ${apid}`;
      this.#scanAdapter(apid);
    }
    if (changed) for (const driver of bus.drivers.values()) driver.onScanComplete?.(next, previous);
    bus.scans += 1;
    if (bus.scans === 1) bus.emitChange({ INITSCAN: 'done' });
    bus.checkBindings();
    this.#armTimer();
    this.#scanning = false;
  }

  /** Seconds between two scans. */
  get configTime(): number {
    return this.#configTime;
  }

  /** Sets the time between two scans; the waiting starts anew. */
  setConfigTime(seconds: number): void {
    this.#configTime = seconds;
    this.#armTimer();
  }

  #armTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.bus.clock.workAfter(this.#configTime * 1000, () => this.force());
  }

  #configured(mask: 'apm' | 'aqm', id: number): boolean {
    return this.qci?.[mask].has(id) ?? true;
  }

  #presence(apid: number, apqi: number): Presence {
    switch (responseCode(this.bus.ap.tapq(apqnOf(apid, apqi)))) {
      case AP_RESPONSE.NORMAL:
      case AP_RESPONSE.RESET_IN_PROGRESS:
      case AP_RESPONSE.BUSY:
        return 'operational';
      case AP_RESPONSE.DECONFIGURED:
        return 'standby';
      case AP_RESPONSE.CHECKSTOPPED:
        return 'checkstopped';
      default:
        return 'absent';
    }
  }

  /** The first domain that works, of queues that are the host's (ap_select_domain). */
  #chooseDomain(): void {
    if (this.defaultDomain >= 0) return;
    const { bus } = this;
    for (let apqi = 0; apqi <= this.highest.apqi; apqi++) {
      if (!this.#configured('aqm', apqi) || !bus.perms.aqmask.has(apqi)) continue;
      for (let apid = 0; apid <= this.highest.apid; apid++) {
        if (!this.#configured('apm', apid) || !bus.perms.apmask.has(apid)) continue;
        if (responseCode(bus.ap.tapq(apqnOf(apid, apqi))) !== AP_RESPONSE.NORMAL) continue;
        this.defaultDomain = apqi;
        return;
      }
    }
  }

  /** What an adapter is, asked of the first domain that answers. */
  #adapterInfo(apid: number): { info: TapqInfo; presence: Presence } | undefined {
    if (!this.#configured('apm', apid)) return undefined;
    for (let apqi = 0; apqi <= this.highest.apqi; apqi++) {
      if (!this.#configured('aqm', apqi)) continue;
      const presence = this.#presence(apid, apqi);
      if (presence === 'absent') continue;
      const info = this.bus.ap.tapqInfo(apqnOf(apid, apqi));
      if (info !== undefined && info.type !== 0) return { info, presence };
    }
    return undefined;
  }

  #scanAdapter(apid: number): void {
    const { bus } = this;
    const found = this.#adapterInfo(apid);
    let card = bus.cards.get(apid);
    if (card !== undefined && (found === undefined || !sameAdapter(card, found.info))) {
      bus.removeDevice(card);
      card = undefined;
    }
    if (found === undefined) return;
    if (card === undefined) {
      const type = this.#compatibleType(apid, found.info.type);
      if (type === 0) return;
      card = new ApCard(bus.root, apid, type, found.info);
      setFlags(card, found.presence);
      bus.add(card);
    } else {
      const { config } = card;
      setFlags(card, found.presence);
      if (card.config !== config) bus.emit('change', card, configEnv(card.config));
    }
    for (let apqi = 0; apqi <= this.highest.apqi; apqi++) this.#scanQueue(card, apqi);
  }

  /** The type whose drivers an adapter gets; 0 for none. A newer one is taken for what QACT says it is compatible with. */
  #compatibleType(apid: number, type: number): number {
    if (type < OLDEST_TYPE) return 0;
    if (type <= NEWEST_TYPE) return type;
    const apqi = this.qci?.aqm.ids[0] ?? 0;
    const compatible = this.bus.ap.qact(apqnOf(apid, apqi), type);
    return compatible >= OLDEST_TYPE && compatible <= NEWEST_TYPE ? compatible : 0;
  }

  #scanQueue(card: ApCard, apqi: number): void {
    const { bus } = this;
    const queue = card.queues.get(apqi);
    const presence = this.#configured('aqm', apqi) ? this.#presence(card.apid, apqi) : 'absent';
    if (presence === 'absent') {
      if (queue !== undefined) bus.removeDevice(queue);
      return;
    }
    if (queue === undefined) {
      const fresh = new ApQueue(apqnOf(card.apid, apqi), card, bus.environment);
      setFlags(fresh, presence);
      bus.add(fresh);
      // Whatever driver it went to, unless that one has begun already.
      if (presence === 'operational' && fresh.deviceState === 'UNINITIATED') fresh.initialise();
      return;
    }
    const { config, chkstop } = queue;
    setFlags(queue, presence);
    const started = queue.deviceState !== 'UNINITIATED';
    if (queue.config !== config || queue.chkstop !== chkstop) {
      if (queue.config !== config) bus.emit('change', queue, configEnv(queue.config));
      if (!started) return;
      if (presence === 'operational') queue.initialise();
      else queue.fail();
    } else if (presence === 'operational' && queue.deviceState === 'ERROR') {
      queue.initialise();
    }
  }
}

function setFlags(device: ApCard | ApQueue, presence: Presence): void {
  device.config = presence !== 'standby';
  device.chkstop = presence === 'checkstopped';
}

function configEnv(config: boolean): Readonly<Record<string, string>> {
  return { CONFIG: config ? '1' : '0' };
}

/** Whether an adapter is still what its card was made for: same type, same functions. */
function sameAdapter(card: ApCard, info: TapqInfo): boolean {
  return (
    card.rawType === info.type &&
    (encodeTapqInfo(card.info) & FUNCTION_BITS) === (encodeTapqInfo(info) & FUNCTION_BITS)
  );
}
