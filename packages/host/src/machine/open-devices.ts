import { Directory, linkTo, type SysfsDirectory, textFile } from '@vfiokit/driver-model';
import type { DevVfio, VfioGroups } from '@vfiokit/iommu';
import { Process, VFIO_TYPE1v2_IOMMU, type VfioDevice, VfioError } from '@vfiokit/uapi';

/** A process of a modelled machine that drives a device, as a virtual machine monitor does. */
export interface DeviceUser extends Disposable {
  readonly pid: number;
  readonly command: string;
  readonly process: Process;
  readonly device: VfioDevice;
}

interface OpenFile {
  readonly pid: number;
  readonly command: string;
  readonly device: string;
  readonly group: string;
}

const FIRST_PID = 4200;

/** Who has which VFIO device open, as `/proc` shows it. */
export class OpenDevices {
  readonly #open = new Map<number, OpenFile>();

  constructor(
    private readonly groups: VfioGroups,
    private readonly dev: DevVfio,
    private readonly pathOf: (name: string) => string | undefined,
  ) {}

  /**
   * Opens a device as a monitor does: its group, a type1 container, the device. Disposing of the user closes it all.
   *
   * @throws VfioError what opening fails with; `EPERM` for a group that is not viable.
   */
  open(device: string, group: string, command = 'qemu-system-x86'): DeviceUser {
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
      const opened = groupFile.getDevice(device, process);
      this.#open.set(pid, { pid, command, device, group });
      return {
        pid,
        command,
        process,
        device: opened,
        [Symbol.dispose]: () => {
          if (!this.#open.delete(pid)) return;
          opened.close();
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

  #process({ command, device, group }: OpenFile): Directory {
    return new Directory({
      comm: textFile(`${command}\n`),
      fd: new Directory({
        20: linkTo(`/dev/vfio/${group}`),
        21: linkTo('/anon_inode:[vfio-device]'),
      }),
      fdinfo: new Directory({
        20: textFile('pos:\t0\n'),
        21: textFile(`pos:\t0\nvfio-device-syspath: ${this.pathOf(device) ?? ''}\n`),
      }),
    });
  }
}

/** @throws VfioError for a negated errno. */
function check(result: number, message: string): void {
  if (result < 0) throw VfioError.fromErrno(result, message);
}
