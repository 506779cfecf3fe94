import { EAGAIN, EINVAL, EIO } from '@vfiokit/uapi';
import { CommandFault } from '../fake/command-fault.js';
import { sealState, unsealState } from '../fake/sealed-state.js';
import { PDS_LM_CMD, type PdsCommand, PdsCore, type PdsResult } from './pds-core.js';

const NAMES = new Map<number, string>(
  Object.entries(PDS_LM_CMD).map(([name, opcode]) => [opcode, name]),
);

/** A VF as the fake PF keeps it. */
export class FakePdsVf {
  state: Uint8Array = new Uint8Array(0);
  /** How often asking for the end of a suspension says that it is not there yet. */
  pending = 0;
  tracking = false;
  ranges: NonNullable<PdsCommand['ranges']> = [];
  /** A bit for every page of the ranges; the device flips it. */
  seq = new Uint8Array(0);

  /** The device's DMA writes a page of its first range: it differs from what was acknowledged. */
  dirty(iova: bigint): void {
    const { base, logPage } = this.ranges[0]!;
    const page = Number((iova - base) >> BigInt(logPage));
    this.seq[page >>> 3]! ^= 1 << (page & 7);
  }
}

/** A PF whose VFs are in memory: for tests, and for modelled machines. */
export class FakePdsCore extends PdsCore {
  /** Every command so far, as name and type. */
  readonly log: string[] = [];
  readonly fault = new CommandFault();
  readonly #vfs = new Map<number, FakePdsVf>();

  /** A VF, counted from 0. */
  vf(index: number): FakePdsVf {
    const vf = this.#vfs.get(index) ?? new FakePdsVf();
    this.#vfs.set(index, vf);
    return vf;
  }

  execute(command: PdsCommand): PdsResult {
    this.log.push(`${NAMES.get(command.opcode)} ${command.type ?? ''}`.trim());
    return this.fault.strikes() ? -EIO : execute(this.vf(command.vf), command);
  }
}

function execute(
  vf: FakePdsVf,
  { opcode, memory, ranges = [], offset = 0 }: PdsCommand,
): PdsResult {
  switch (opcode) {
    case PDS_LM_CMD.SUSPEND_STATUS:
      vf.pending -= 1;
      return vf.pending >= 0 ? -EAGAIN : 0;
    case PDS_LM_CMD.STATE_SIZE:
      return sealState(vf.state).length;
    case PDS_LM_CMD.SAVE:
      memory!.set(sealState(vf.state));
      return 0;
    case PDS_LM_CMD.RESTORE: {
      const state = unsealState(memory!);
      if (state === undefined) return memory!.length === 0 ? 0 : -EINVAL;
      vf.state = state;
      return 0;
    }
    case PDS_LM_CMD.DIRTY_STATUS:
      return vf.tracking ? 1 : 0;
    case PDS_LM_CMD.DIRTY_ENABLE:
      vf.ranges = ranges;
      vf.tracking = true;
      vf.seq = new Uint8Array(ranges.reduce((sum, { pages }) => sum + Math.ceil(pages / 8), 0));
      return 0;
    case PDS_LM_CMD.DIRTY_DISABLE:
      vf.tracking = false;
      return 0;
    case PDS_LM_CMD.DIRTY_READ_SEQ:
      memory!.set(vf.seq.subarray(offset, offset + memory!.length));
      return 0;
    default:
      return 0;
  }
}
