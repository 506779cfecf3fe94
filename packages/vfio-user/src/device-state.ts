import {
  DeviceClient,
  type MigrationFile,
  type Process,
  type VfioDevice,
  VfioError,
} from '@vfiokit/uapi';

const PIECE = 1 << 16;

/**
 * Stops a device and takes its state.
 *
 * @throws VfioError what the device refuses with: ENOTTY where it can't migrate.
 */
export function saveState(device: VfioDevice, process: Process): Uint8Array {
  const pieces: Uint8Array[] = [];
  withFile(device, process, 'STOP_COPY', (file) => {
    const room = new Uint8Array(PIECE);
    for (let length = -1; length !== 0; ) {
      length = moved(file.read(room));
      pieces.push(room.slice(0, length));
    }
  });
  return Buffer.concat(pieces);
}

/**
 * Gives a device a state that was saved, and lets it run.
 *
 * @throws VfioError what the device refuses with: ENOTTY where it can't migrate, EINVAL for the state of another device.
 */
export function loadState(device: VfioDevice, process: Process, state: Uint8Array): void {
  withFile(device, process, 'RESUMING', (file, client) => {
    for (let done = 0; done < state.length; )
      done += moved(file.write(state.subarray(done, done + PIECE)));
    client.setMigrationState('RUNNING');
  });
}

function withFile(
  device: VfioDevice,
  process: Process,
  state: 'STOP_COPY' | 'RESUMING',
  move: (file: MigrationFile, client: DeviceClient) => void,
): void {
  const client = new DeviceClient(device, process);
  try {
    const file = client.setMigrationState(state);
    if (file === undefined)
      throw new VfioError('EINVAL', `${device.name}: is ${state} already; reset it first`);
    move(file, client);
  } finally {
    client.close();
  }
}

function moved(result: number): number {
  if (result < 0) throw VfioError.fromErrno(result, 'device state: the transfer failed');
  return result;
}
