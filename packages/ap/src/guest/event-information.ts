/** Bytes of the answer to "store event information" for an event of type 0. */
const SEI_RESPONSE_SIZE = 12;
const RESPONSE_CODE = 2;
const NOTIFICATION_TYPE = 7;
const REPORTING_SOURCE = 10;
const CONTENT_CODE = 11;

const STORED = 0x0001;
const DEFAULT_TYPE = 0;
const SOURCE_AP = 5;
const AP_CONFIG_CHANGED = 3;

/**
 * Events of a guest's channel subsystem, as far as AP has any: a VMM raises one, and the guest fetches it by CHSC "store
 * event information" (QEMU hw/vfio/ap.c: ap_chsc_sei_nt0_get_event).
 */
export class EventInformation {
  #pending = 0;

  /** The guest's AP configuration has changed. */
  raiseApChange(): void {
    this.#pending += 1;
  }

  /** CHSC "store event information": 12 bytes, big-endian; `undefined` where no event is pending. */
  store(): Uint8Array | undefined {
    if (this.#pending === 0) return undefined;
    this.#pending -= 1;
    const bytes = new Uint8Array(SEI_RESPONSE_SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, SEI_RESPONSE_SIZE);
    view.setUint16(RESPONSE_CODE, STORED);
    bytes[NOTIFICATION_TYPE] = DEFAULT_TYPE;
    bytes[REPORTING_SOURCE] = SOURCE_AP;
    bytes[CONTENT_CODE] = AP_CONFIG_CHANGED;
    return bytes;
  }
}

/** Whether an event makes a guest's Linux look at its AP bus (drivers/s390/cio/chsc.c: chsc_process_sei_ap_cfg_chg). */
export function isApChange(event: Uint8Array): boolean {
  return (
    event[NOTIFICATION_TYPE] === DEFAULT_TYPE &&
    event[REPORTING_SOURCE] === SOURCE_AP &&
    event[CONTENT_CODE] === AP_CONFIG_CHANGED
  );
}
