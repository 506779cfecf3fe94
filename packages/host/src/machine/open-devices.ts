import { Directory, linkTo, type SysfsDirectory, textFile } from '@vfiokit/driver-model';
import type { DevVfio, GroupFile, VfioGroups } from '@vfiokit/iommu';
import { Process, VFIO_TYPE1v2_IOMMU, type VfioDevice, VfioError } from '@vfiokit/uapi';

/** A process of a modelled machine that drives a device, as a virtual machine monitor does. */
export interface DeviceUser extends Disposable {
  readonly pid: number;
  readonly command: string;
  readonly process: Process;
  /** What was opened, in the order in which it was named. */
  readonly devices: readonly VfioDevice[];
  /** The first of them. */
  readonly device: VfioDevice;
}

/** What a process that opens devices looks like to others. */
export interface UserOptions {
  /** As `/proc/PID/comm` has it. */
  readonly command?: string;
  /** The virtual machine that its command line names. */
  readonly guest?: string;
}

interface OpenFile {
  readonly pid: number;
  readonly command: string;
  readonly guest: string | undefined;
  readonly devices: readonly string[];
  readonly group: string;
}

const FIRST_PID = 4200;
const FIRST_FD = 20;
/** TASK_COMM_LEN without the end (sched.h). */
const COMM_LENGTH = 15;

/** Who has which VFIO device open, as `/proc` shows it. */
export class OpenDevices {
  readonly #open = new Map<number, OpenFile>();

  constructor(
    private readonly groups: VfioGroups,
    private readonly dev: DevVfio,
    private readonly pathOf: (name: string) => string | undefined,
  ) {}

  /**
   * Opens devices of one group as a monitor does: the group, a type1 container, the devices. Disposing of the user closes
   * it all.
   *
   * @throws VfioError what opening fails with; `EPERM` for a group that is not viable.
   */
  open(names: readonly string[], group: string, options: UserOptions = {}): DeviceUser {
    const { command = 'qemu-system-x86', guest } = options;
    let pid = FIRST_PID;
    while (this.#open.has(pid)) pid += 1;
    const process = new Process();
    const groupFile = this.groups.openGroup(group, process);
    const container = this.dev.openContainer();
    try {
      check(
        groupFile.group.setContainer(container, process),
        `group ${group}: can't be given to a container; is it viable?`,
      );
      check(
        container.setIommu(VFIO_TYPE1v2_IOMMU, process),
        `group ${group}: no type1 IOMMU takes it`,
      );
      const devices = this.#devicesOf(groupFile, names, process);
      this.#open.set(pid, { pid, command, guest, devices: names, group });
      return {
        pid,
        command,
        process,
        devices,
        device: devices[0]!,
        [Symbol.dispose]: () => {
          if (!this.#open.delete(pid)) return;
          for (const device of devices.toReversed()) device.close();
          groupFile.close();
          container.close();
        },
      };
    } catch (error) {
      groupFile.close();
      container.close();
      throw error;
    }
  }

  /** All of the devices, or none: what was opened before one that fails is closed again. */
  #devicesOf(
    group: GroupFile,
    names: readonly string[],
    process: Process,
  ): readonly [VfioDevice, ...VfioDevice[]] {
    const opened: VfioDevice[] = [];
    try {
      for (const name of names) opened.push(group.getDevice(name, process));
    } catch (error) {
      for (const device of opened.toReversed()) device.close();
      throw error;
    }
    return opened as [VfioDevice, ...VfioDevice[]];
  }

  /** `/proc` with a directory for every process that has a device open. */
  procFiles(rest: Directory): SysfsDirectory {
    return {
      kind: 'directory',
      get: (name) => {
        const file = this.#open.get(Number(name));
        return file === undefined ? rest.get(name) : this.#process(file);
      },
      names: () => ['1', ...[...this.#open.keys()].map(String), ...rest.names()],
    };
  }

  #process({ command, guest, devices, group }: OpenFile): Directory {
    const fd = new Directory({ [FIRST_FD]: linkTo(`/dev/vfio/${group}`) });
    const fdinfo = new Directory({ [FIRST_FD]: textFile('pos:\t0\n') });
    for (const [index, device] of devices.entries()) {
      const path = this.pathOf(device) ?? '';
      fd.set(`${FIRST_FD + 1 + index}`, linkTo('/anon_inode:[vfio-device]'));
      fdinfo.set(`${FIRST_FD + 1 + index}`, textFile(`pos:\t0\nvfio-device-syspath: ${path}\n`));
    }
    const words = [command, ...(guest === undefined ? [] : ['-name', `guest=${guest}`])];
    return new Directory({
      comm: textFile(`${command.slice(0, COMM_LENGTH)}\n`),
      cmdline: textFile(words.map((word) => `${word}\0`).join('')),
      fd,
      fdinfo,
    });
  }
}

/** @throws VfioError for a negated errno. */
function check(result: number, message: string): void {
  if (result < 0) throw VfioError.fromErrno(result, message);
}
