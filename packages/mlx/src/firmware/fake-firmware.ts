import type { CommandMemory, FirmwareEvent, Mlx5Commands } from '../command-interface.js';
import {
  commandInput,
  commandOutput,
  createOut,
  createQpIn,
  HCA_CAP_GENERAL,
  initToReadyIn,
  loadVhcaStateIn,
  MLX5_CMD_OP,
  MLX5_CMD_STAT,
  numberIn,
  queryHcaCapIn,
  queryHcaCapOut,
  queryVhcaMigrationStateIn,
  queryVhcaMigrationStateOut,
  RESUME_INITIATOR,
  SUSPEND_INITIATOR,
  saveVhcaStateIn,
  saveVhcaStateOut,
  VHCA_MIGRATION_STATE_INIT,
  vhcaIn,
} from '../commands.js';
import {
  generalObjectIn,
  generalObjectOut,
  MLX5_OBJ_TYPE_PAGE_TRACK,
  PAGE_TRACK_STATE_REPORTING,
  pageTrack,
  pageTrackRange,
} from '../page-tracker/layout.js';
import { FakeCompletionQueue, FakePageTracker, FakeQueuePair } from './fake-tracker.js';
import type { FakeVhca } from './fake-vhca.js';

const OP = MLX5_CMD_OP;
const { OK, BAD_OP_ERR, BAD_PARAM_ERR, BAD_RES_ERR, BAD_RES_STATE_ERR, BAD_QP_STATE_ERR } =
  MLX5_CMD_STAT;

/** vHCA ids begin here, apart from function ids, so that nobody takes one for the other. */
const FIRST_VHCA_ID = 0x100;

type Handler = (input: Uint8Array, memory: CommandMemory | undefined) => Uint8Array;

/**
 * A firmware that keeps to the rules that the driver relies on, with its devices in memory. What a driver's author needs
 * of it: which commands came ({@link log}), commands that fail ({@link failing}), commands that take their time
 * ({@link holding}).
 */
export class FakeFirmware implements Mlx5Commands {
  /** Opcode and op_mod of every command so far. */
  readonly log: (readonly [opcode: number, opMod: number])[] = [];
  /** Opcodes that end with a status of their own; with `opcode << 16 | op_mod` one of their variants. */
  readonly failing = new Map<number, number>();
  /** Commands that were begun stay so until {@link settle}. */
  holding = false;
  readonly #vhcas = new Map<number, FakeVhca>();
  readonly #memory = new Map<number, CommandMemory>();
  readonly #completionQueues = new Map<number, FakeCompletionQueue>();
  readonly #queuePairs = new Map<number, FakeQueuePair>();
  readonly #trackers = new Map<number, { tracker: FakePageTracker; reportingQpn: number }>();
  readonly #listeners = new Set<(event: FirmwareEvent) => void>();
  readonly #held: (() => void)[] = [];
  #lastNumber = 0;

  /** Resources of the driver that exist: keys, queues, trackers. */
  get resources(): number {
    return (
      this.#memory.size + this.#completionQueues.size + this.#queuePairs.size + this.#trackers.size
    );
  }

  /** Adds a virtual function; functions count from 1. */
  addFunction(functionId: number, vhca: FakeVhca): void {
    this.#vhcas.set(FIRST_VHCA_ID + functionId, vhca);
  }

  execute(input: Uint8Array, memory?: CommandMemory): Uint8Array {
    const { opcode, opMod } = commandInput.decode(input);
    this.log.push([opcode, opMod]);
    const status = this.failing.get(opcode) ?? this.failing.get(opcode * 0x10000 + opMod);
    if (status !== undefined) return ended(status);
    return this.#handlers[opcode]?.(input, memory) ?? ended(BAD_OP_ERR);
  }

  begin(input: Uint8Array, done: (output: Uint8Array) => void): void {
    const run = () => done(this.execute(input));
    if (this.holding) this.#held.push(run);
    else run();
  }

  settle(): void {
    for (let run = this.#held.shift(); run !== undefined; run = this.#held.shift()) run();
  }

  postReceives(queuePair: number, count: number): void {
    const pair = this.#queuePairs.get(queuePair);
    if (pair === undefined) return;
    pair.posted += count;
    pair.deliver();
  }

  listen(listener: (event: FirmwareEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something happens to the firmware's side of things. */
  emit(event: FirmwareEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Every tracker loses track, and says so. */
  failTrackers(state: number): void {
    for (const [objectId, { tracker }] of this.#trackers) {
      tracker.state = state;
      this.emit({ kind: 'object-change', objectId });
    }
  }

  readonly #handlers: Readonly<Record<number, Handler>> = {
    [OP.QUERY_HCA_CAP]: (input) => this.#queryHcaCap(input),
    [OP.SUSPEND_VHCA]: (input) =>
      this.#withVhca(input, (vhca, opMod) =>
        opMod === SUSPEND_INITIATOR ? vhca.suspendInitiator() : vhca.suspendResponder(),
      ),
    [OP.RESUME_VHCA]: (input) =>
      this.#withVhca(input, (vhca, opMod) =>
        opMod === RESUME_INITIATOR ? vhca.resumeInitiator() : vhca.resumeResponder(),
      ),
    [OP.QUERY_VHCA_MIGRATION_STATE]: (input) => this.#queryMigrationState(input),
    [OP.SAVE_VHCA_STATE]: (input) => this.#save(input),
    [OP.LOAD_VHCA_STATE]: (input) => this.#load(input),
    [OP.ALLOC_PD]: () => this.#created(),
    [OP.DEALLOC_PD]: () => ended(OK),
    [OP.ALLOC_UAR]: () => this.#created(),
    [OP.DEALLOC_UAR]: () => ended(OK),
    [OP.CREATE_MKEY]: (_, memory) => this.#created((key) => this.#memory.set(key, memory!)),
    [OP.DESTROY_MKEY]: (input) => destroyed(this.#memory, input),
    [OP.CREATE_CQ]: (_, memory) =>
      this.#created((cq) => this.#completionQueues.set(cq, new FakeCompletionQueue(memory!))),
    [OP.DESTROY_CQ]: (input) => destroyed(this.#completionQueues, input),
    [OP.CREATE_QP]: (input, memory) => this.#createQp(input, memory),
    [OP.DESTROY_QP]: (input) => destroyed(this.#queuePairs, input),
    [OP.RST2INIT_QP]: (input) => this.#withQp(input, () => OK),
    [OP.INIT2RTR_QP]: (input) =>
      this.#withQp(input, (pair) => {
        pair.remote = initToReadyIn.decode(input).remote;
        return OK;
      }),
    [OP.RTR2RTS_QP]: (input) =>
      this.#withQp(input, (pair) => (pair.remote === undefined ? BAD_QP_STATE_ERR : OK)),
    [OP.CREATE_GENERAL_OBJECT]: (input) => this.#createTracker(input),
    [OP.MODIFY_GENERAL_OBJECT]: (input) => this.#report(input),
    [OP.QUERY_GENERAL_OBJECT]: (input) => this.#queryTracker(input),
    [OP.DESTROY_GENERAL_OBJECT]: (input) => {
      const { objectId } = generalObjectIn.decode(input);
      this.#trackers.get(objectId)?.tracker.destroy();
      return ended(this.#trackers.delete(objectId) ? OK : BAD_RES_ERR);
    },
  };

  // --- functions ---

  #queryHcaCap(input: Uint8Array): Uint8Array {
    const { functionId, opMod } = queryHcaCapIn.decode(input);
    const vhcaId = FIRST_VHCA_ID + functionId;
    const vhca = this.#vhcas.get(vhcaId);
    if (vhca === undefined) return ended(BAD_PARAM_ERR);
    return queryHcaCapOut.encode(
      opMod === HCA_CAP_GENERAL ? { vhcaId } : { migratable: vhca.migratable ? 1 : 0 },
    );
  }

  #withVhca(input: Uint8Array, run: (vhca: FakeVhca, opMod: number) => number): Uint8Array {
    const { vhcaId, opMod } = vhcaIn.decode(input);
    const vhca = this.#vhcas.get(vhcaId);
    return ended(vhca === undefined ? BAD_RES_ERR : run(vhca, opMod));
  }

  #queryMigrationState(input: Uint8Array): Uint8Array {
    const { vhcaId, incremental, chunk } = queryVhcaMigrationStateIn.decode(input);
    const vhca = this.#vhcas.get(vhcaId);
    if (vhca === undefined) return ended(BAD_RES_ERR);
    const sizes = vhca.query(incremental === 1, chunk === 1);
    if (sizes === undefined) return ended(BAD_RES_STATE_ERR);
    return queryVhcaMigrationStateOut.encode({
      migrationState: vhca.initialised ? VHCA_MIGRATION_STATE_INIT : 0,
      requiredUmemSize: Math.min(sizes.required, 0xffffffff),
      remainingTotalSize: chunk === 1 ? BigInt(sizes.total) : 0n,
    });
  }

  #save(input: Uint8Array): Uint8Array {
    const { vhcaId, incremental, setTrack, mkey, size } = saveVhcaStateIn.decode(input);
    const vhca = this.#vhcas.get(vhcaId);
    const memory = this.#memory.get(mkey);
    if (vhca === undefined || memory === undefined) return ended(BAD_RES_ERR);
    const request = { incremental: incremental === 1, setTrack: setTrack === 1 };
    const result = vhca.save(request, memory.subarray(0, size));
    if (result.status !== OK) return ended(result.status);
    const { imageSize: actualImageSize, nextSize: nextRequiredUmemSize } = result;
    return saveVhcaStateOut.encode({ actualImageSize, nextRequiredUmemSize });
  }

  #load(input: Uint8Array): Uint8Array {
    const { vhcaId, mkey, size } = loadVhcaStateIn.decode(input);
    const memory = this.#memory.get(mkey);
    const vhca = this.#vhcas.get(vhcaId);
    if (memory === undefined || vhca === undefined) return ended(BAD_RES_ERR);
    return ended(vhca.load(memory.subarray(0, size)));
  }

  // --- resources ---

  #created(keep: (number: number) => void = () => {}): Uint8Array {
    this.#lastNumber += 1;
    keep(this.#lastNumber);
    return createOut.encode({ number: this.#lastNumber });
  }

  #createQp(input: Uint8Array, memory: CommandMemory | undefined): Uint8Array {
    const { cq, logReceiveSize } = createQpIn.decode(input);
    const queue = this.#completionQueues.get(cq);
    if (queue === undefined) return ended(BAD_RES_ERR);
    return this.#created((number) => {
      const buffers = memory ?? new Uint8Array(0);
      this.#queuePairs.set(number, new FakeQueuePair(number, queue, buffers, 2 ** logReceiveSize));
    });
  }

  #withQp(input: Uint8Array, run: (pair: FakeQueuePair) => number): Uint8Array {
    const pair = this.#queuePairs.get(numberIn.decode(input).number);
    return ended(pair === undefined ? BAD_RES_ERR : run(pair));
  }

  // --- page trackers ---

  #createTracker(input: Uint8Array): Uint8Array {
    const { objectType } = generalObjectIn.decode(input);
    if (objectType !== MLX5_OBJ_TYPE_PAGE_TRACK) return ended(BAD_PARAM_ERR);
    const object = pageTrack.decode(input, generalObjectIn.size);
    const vhca = this.#vhcas.get(object.vhcaId);
    if (vhca === undefined) return ended(BAD_RES_ERR);
    const first = generalObjectIn.size + pageTrack.size;
    const ranges = Array.from({ length: object.numRanges }, (_, index) =>
      pageTrackRange.decode(input, first + index * pageTrackRange.size),
    );
    this.#lastNumber += 1;
    const { logPageSize, logMsgSize, reportingQpn } = object;
    const tracker = new FakePageTracker({
      vhca,
      ranges,
      logPageSize,
      messageSize: 2 ** logMsgSize,
    });
    this.#trackers.set(this.#lastNumber, { tracker, reportingQpn });
    return generalObjectOut.encode({ objectId: this.#lastNumber });
  }

  #report(input: Uint8Array): Uint8Array {
    const found = this.#trackers.get(generalObjectIn.decode(input).objectId);
    if (found === undefined) return ended(BAD_RES_ERR);
    const { state, rangeStartAddress, length } = pageTrack.decode(input, generalObjectIn.size);
    if (state !== PAGE_TRACK_STATE_REPORTING) return ended(BAD_PARAM_ERR);
    const reporting = this.#queuePairs.get(found.reportingQpn);
    const receiver = this.#queuePairs.get(reporting?.remote ?? 0);
    if (receiver === undefined) return ended(BAD_QP_STATE_ERR);
    receiver.waiting.push(...found.tracker.report(rangeStartAddress, length));
    receiver.deliver();
    return ended(OK);
  }

  #queryTracker(input: Uint8Array): Uint8Array {
    const { objectId } = generalObjectIn.decode(input);
    const found = this.#trackers.get(objectId);
    if (found === undefined) return ended(BAD_RES_ERR);
    const output = new Uint8Array(generalObjectOut.size + pageTrack.size);
    generalObjectOut.encode({ objectId }, output);
    return pageTrack.encode({ state: found.tracker.state }, output, generalObjectOut.size);
  }
}

function ended(status: number): Uint8Array {
  return commandOutput.encode({ status });
}

function destroyed(table: Map<number, unknown>, input: Uint8Array): Uint8Array {
  return ended(table.delete(numberIn.decode(input).number) ? OK : BAD_RES_ERR);
}
