import { fileURLToPath } from 'node:url';
import { className, type PciDevice } from '@vfiokit/pci';
import { RecordedMachine, Replayer, readTrace, Tally } from '@vfiokit/replay';
import {
  DeviceClient,
  EventFd,
  Process,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
} from '@vfiokit/uapi';
import { inspectDevice } from '../inspect/inspection.js';
import type { Io } from '../io.js';
import { count, hex, percent, size, table } from '../output.js';

/** Recordings that come with the package, and what they are of. */
const RECORDINGS = [
  ['network-card', 'a network card behind a root port, every call in every state'],
  ['two-functions', 'two functions of one slot: shared groups, hot resets'],
  ['nvme-fuzz', 'an NVMe controller under 3000 random operations'],
] as const;

const COMMAND = 0x04;
const COMMAND_MEMORY_AND_MASTER = 0x0006;
const BAR0 = 0x10;
/** Where a guest would put the BAR. */
const GUEST_ADDRESS = 0xe0000000;
const STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold', 'an unknown state'];

const recording = (name: string) =>
  fileURLToPath(new URL(`../../demo/${name}.jsonl.gz`, import.meta.url));

/**
 * Tells what vfiokit is for on a machine that a real kernel ran on: hand a function over, look at it, drive it, and hold
 * the model against what the kernel answered. Everything it prints has just happened.
 *
 * @returns whether every recorded operation matched.
 */
export async function tellStory(io: Io): Promise<boolean> {
  const { bold, dim } = io.colors;
  const trace = await readTrace(recording(RECORDINGS[0][0]));
  const machine = new RecordedMachine(trace);
  const { pdev } = machine.devices[0]!;
  const chapter = (title: string, rows: readonly (readonly string[])[]) => {
    io.print();
    io.print(title);
    for (const line of table(rows, { indent: '   ' })) io.print(line);
  };

  io.print(bold('vfiokit: a PCI function, handed to a user-space driver as Linux hands it over'));
  chapter(
    `${bold('1.')} A machine, rebuilt from a recording of Linux ${trace.meta.kernel}`,
    machineRows(machine, pdev),
  );
  const user = new Process();
  const { rows, client } = handOver(machine, pdev, user);
  chapter(`${bold('2.')} It goes to vfio-pci, and a user opens it through its IOMMU group`, rows);
  chapter(
    `${bold('3.')} What the user finds ${dim('(vfiokit inspect shows all of it)')}`,
    findings(client, user),
  );
  chapter(`${bold('4.')} The user drives it; the kernel keeps the reins`, drive(client, pdev));
  chapter(
    `${bold('5.')} Is that what the kernel does? Every operation of three recordings, played again`,
    [],
  );
  const { matched, explained, differing } = (await replayAll(io)).total();
  const all = matched + explained + differing;
  io.print(
    `   ${count(matched)} of ${count(all)} match (${percent(matched, all)}): results, bytes, eventfds, power states, raw registers`,
  );
  io.print();
  io.print(
    `${bold('Next')}  vfiokit inspect ${dim('FILE|DEVICE')}   vfiokit replay ${dim('FILE…')}   vfiokit --help`,
  );
  return differing === 0;
}

function machineRows(machine: RecordedMachine, pdev: PciDevice): string[][] {
  const id = (value: number) => value.toString(16).padStart(4, '0');
  const text = ({ name, class: code, vendor, device }: PciDevice) =>
    `${name}  ${className(code)} ${id(vendor)}:${id(device)}`;
  const bridge = pdev.bus.self;
  const group = machine.groupOf(pdev);
  const resets = pdev.resetMethods.map(({ name }) => name).join(', ');
  return [
    ...(bridge === undefined ? [] : [[text(bridge)]]),
    [`└── ${text(pdev)}`, `IOMMU group ${group?.id} (${group?.type}), resets: ${resets}`],
  ];
}

function handOver(
  machine: RecordedMachine,
  pdev: PciDevice,
  user: Process,
): { rows: string[][]; client: DeviceClient } {
  const state = () => STATES[pdev.currentState];
  machine.bind(0, 'vfio-pci');
  machine.settle();
  const asleep = state();
  const device = machine.open(0, user);
  const group = machine.groupOf(pdev);
  return {
    client: new DeviceClient(device, user),
    rows: [
      ['bind to vfio-pci', `nobody uses it yet, so it sleeps in ${asleep}`],
      [`open /dev/vfio/${group?.id}, SET_IOMMU`, `its DMA now goes through: ${group?.domain.name}`],
      ['GET_DEVICE_FD', `awake in ${state()}, freshly reset, bus mastering off`],
    ],
  };
}

function findings(client: DeviceClient, user: Process): string[][] {
  const { regions, interrupts } = inspectDevice(client.device, user);
  const there = regions.filter((region) => region.size > 0);
  const usable = interrupts.filter((interrupt) => interrupt.count > 0);
  return [
    ['regions', there.map((region) => `${region.name} ${size(region.size)}`).join(', ')],
    ['interrupts', usable.map((interrupt) => `${interrupt.count} ${interrupt.name}`).join(', ')],
  ];
}

function drive(client: DeviceClient, pdev: PciDevice): string[][] {
  const user = () => hex(client.readConfig(BAR0, 4), 8);
  const hardware = () => hex(pdev.config.read(BAR0, 4), 8);
  const rows: string[][] = [];

  client.writeConfig(BAR0, 4, 0xffffffff);
  const bytes = 2 ** 32 - client.readConfig(BAR0, 4);
  rows.push([
    'size BAR0: write ffffffff',
    `the user reads ${user()}: ${size(bytes)}; the hardware still holds ${hardware()}`,
  ]);

  client.writeConfig(COMMAND, 2, COMMAND_MEMORY_AND_MASTER);
  let signals = 0;
  const eventfd = new EventFd(() => {
    signals += 1;
  });
  client.setIrqs({ index: VFIO_PCI_MSI_IRQ_INDEX, eventfds: [eventfd] });
  pdev.function.raise(0);
  rows.push([
    'give MSI vector 0 an eventfd',
    `the kernel programs the message, the device sends it; eventfd signals: ${signals}`,
  ]);
  client.disableIrqs(VFIO_PCI_MSI_IRQ_INDEX);

  client.writeConfig(COMMAND, 2, 0);
  const refused = client.device.read(VFIO_PCI_BAR0_REGION_INDEX, 0, 4);
  rows.push([
    'read BAR0 with memory decoding off',
    `${refused} (EIO), not a bus error on the host`,
  ]);

  client.writeConfig(BAR0, 4, GUEST_ADDRESS);
  client.reset();
  rows.push([
    'move BAR0, then reset the device',
    `the user still reads ${user()}, the hardware got back ${hardware()}`,
  ]);
  return rows;
}

async function replayAll(io: Io): Promise<Tally> {
  const { red, green } = io.colors;
  const total = new Tally();
  const rows: string[][] = [];
  for (const [name, what] of RECORDINGS) {
    io.progress(`   replaying ${name}`);
    const tally = new Tally();
    new Replayer(await readTrace(recording(name)), tally).run();
    total.add(tally);
    const { matched, explained, differing } = tally.total();
    const verdict =
      explained === 0 ? 'all match' : `${count(explained)} explained, the others match`;
    rows.push([
      what,
      count(matched + explained + differing),
      differing > 0 ? red(`${count(differing)} differ`) : green(verdict),
    ]);
  }
  io.progress();
  for (const line of table(rows, { indent: '   ', align: ['left', 'right'] })) io.print(line);
  return total;
}
