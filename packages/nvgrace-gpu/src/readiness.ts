import type { ConfigAccess } from '@vfiokit/pci';
import { EAGAIN, EINTR, ENODEV, ETIME } from '@vfiokit/uapi';
import { findDvsec } from './dvsec.js';
import type { NvgracePlatform } from './nvgrace-platform.js';

// BAR 0
export const C2C_LINK_STATUS = 0x1498;
export const HBM_TRAINING_STATUS = 0x200bc;
export const STATUS_READY = 0xff;

const POLL_QUANTUM_MS = 1000;
const POLL_TIMEOUT_MS = 30_000;

// DVSEC for CXL Devices (CXL 3.1 8.1.3)
const PCI_VENDOR_ID_CXL = 0x1e98;
const CXL_DVSEC_DEVICE = 0;
const CXL_DVSEC_RANGE1_SIZE_LOW = 0x1c;
const CXL_DVSEC_MEM_INFO_VALID = 0x1;
const CXL_DVSEC_MEM_ACTIVE = 0x2;
/** log4 of the seconds that the memory may take, in bits 15:13. */
const CXL_DVSEC_MEM_ACTIVE_TIMEOUT_SHIFT = 13;
const LONGEST_TIMEOUT = 4;

/** Whether the GPU's memory can be used: link trained, memory trained. All answer 0 or a negated errno. */
export interface Readiness {
  /** Waits for it: `-ETIME` if it does not come, `-EINTR`, `-ENODEV` for a function that does not answer. */
  wait(): number;
  /** Asked before the first access after a reset. */
  afterReset(): number;
}

/** Reads a register of BAR 0; a negated errno where that is not to be touched. */
export type ReadBar0 = (offset: number) => number;

/** How a GPU says that it is ready (nvgrace-gpu/main.c: nvgrace_gpu_wait_device_ready). */
export function readiness(
  config: ConfigAccess,
  readBar0: ReadBar0,
  platform: NvgracePlatform,
): Readiness {
  const dvsec = findDvsec(config, PCI_VENDOR_ID_CXL, CXL_DVSEC_DEVICE);
  return dvsec === 0
    ? new RegisterReadiness(readBar0, platform)
    : new CxlReadiness(config, dvsec + CXL_DVSEC_RANGE1_SIZE_LOW, platform);
}

/** Grace Hopper: two status registers. */
class RegisterReadiness implements Readiness {
  constructor(
    private readonly readBar0: ReadBar0,
    private readonly platform: NvgracePlatform,
  ) {}

  wait(): number {
    const end = this.platform.now() + POLL_TIMEOUT_MS;
    for (;;) {
      const link = this.readBar0(C2C_LINK_STATUS);
      const memory = this.readBar0(HBM_TRAINING_STATUS);
      if (link === STATUS_READY && memory === STATUS_READY) return 0;
      if (!this.platform.sleep(POLL_QUANTUM_MS)) return -EINTR;
      if (this.platform.now() > end) return -ETIME;
    }
  }

  afterReset(): number {
    return this.wait();
  }
}

/** Later ones: as every CXL device with memory does. */
class CxlReadiness implements Readiness {
  constructor(
    private readonly config: ConfigAccess,
    private readonly at: number,
    private readonly platform: NvgracePlatform,
  ) {}

  /** The information has to be valid within a second, and the memory active within the time that it then names. */
  wait(): number {
    const valid = this.#waitFor(CXL_DVSEC_MEM_INFO_VALID, () => POLL_QUANTUM_MS);
    if (valid < 0) return valid;
    return this.#waitFor(CXL_DVSEC_MEM_ACTIVE, (status) => {
      const timeout = (status >>> CXL_DVSEC_MEM_ACTIVE_TIMEOUT_SHIFT) & 7;
      return 4 ** Math.min(timeout, LONGEST_TIMEOUT) * 1000;
    });
  }

  /** Does not wait: `-EAGAIN` while the memory is not active. */
  afterReset(): number {
    const status = this.config.read(this.at, 4);
    if (status === 0xffffffff) return -ENODEV;
    const ready = CXL_DVSEC_MEM_INFO_VALID | CXL_DVSEC_MEM_ACTIVE;
    return (status & ready) === ready ? 0 : -EAGAIN;
  }

  #waitFor(bit: number, limit: (status: number) => number): number {
    const start = this.platform.now();
    for (;;) {
      const status = this.config.read(this.at, 4);
      if (status === 0xffffffff) return -ENODEV;
      if ((status & bit) !== 0) return 0;
      if (this.platform.now() - start >= limit(status)) return -ETIME;
      if (!this.platform.sleep(POLL_QUANTUM_MS)) return -EINTR;
    }
  }
}
