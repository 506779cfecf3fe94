/** An event in the life of queues and guests, to be played on a machine that has been brought to the point where it matters. */
export interface LifeCycleEvent {
  /** As the table calls it. */
  readonly event: string;
  /** Steps of a scenario before, in YAML; every one of them has to succeed. */
  readonly given: string;
  /** The event itself: one step. */
  readonly when: string;
  /** What a reader should know and the model does not show. */
  readonly note?: string;
}

const FREE = '- free: {adapters: [5, 6]}';
const MATRIX = `${FREE}
- create: m1
- assign: {matrix: m1, adapters: [5, 6], domains: 4, control_domains: 4}`;
const STARTED = `${MATRIX}
- start: {guest: g1, matrix: m1}`;
const RUNNING = `${MATRIX}
- start: {guest: g1, matrix: m1, boot: yes}
- use: {guest: g1, queue: 05.0004}`;

/**
 * The events that reviewers asked for in 2017: boot, reset and hot plug of the host; start, halt and restart of guests;
 * masks, drivers and devices in between. In the order in which a machine meets them.
 */
export const LIFE_CYCLE: readonly LifeCycleEvent[] = [
  { event: 'Host boot (IPL)', given: '', when: '- ipl: {}' },
  {
    event: 'Host boot with masks from kernel parameters, vfio_ap not loaded',
    given: '',
    when: '- ipl: {apmask: "0xf9ff", vfio_ap: no}',
  },
  {
    event: 'Load vfio_ap',
    given: '- ipl: {apmask: "0xf9ff", vfio_ap: no}',
    when: '- modprobe: vfio_ap',
  },
  { event: 'Clear mask bits', given: '- request: 05.0004', when: '- apmask: "-5,-6"' },
  { event: 'Set mask bits, queues not assigned', given: FREE, when: '- apmask: "+5"' },
  { event: 'Set mask bits, a queue assigned, no guest', given: MATRIX, when: '- apmask: "+5"' },
  { event: 'Set mask bits, a queue in use by a guest', given: RUNNING, when: '- apmask: "+5"' },
  { event: 'Create a matrix', given: FREE, when: '- create: m1' },
  {
    event: 'Assign, no guest',
    given: `${FREE}\n- create: m1\n- assign: {matrix: m1, domains: 4}`,
    when: '- assign: {matrix: m1, adapters: 5}',
  },
  {
    event: 'Assign what the host’s drivers have',
    given: '- create: m1\n- assign: {matrix: m1, domains: 4}',
    when: '- assign: {matrix: m1, adapters: 5}',
  },
  {
    event: 'Assign what another matrix has',
    given: `${MATRIX}\n- create: m2\n- assign: {matrix: m2, domains: 4}`,
    when: '- assign: {matrix: m2, adapters: 5}',
  },
  { event: 'Guest start', given: MATRIX, when: '- start: {guest: g1, matrix: m1}' },
  { event: 'Guest boots Linux', given: STARTED, when: '- boot: g1' },
  {
    event: 'Guest enables interrupts',
    given: STARTED,
    when: '- irq: {guest: g1, queue: 05.0004, on: yes}',
  },
  {
    event: 'Protected guest, page not shared, enables interrupts',
    given: `${MATRIX}\n- start: {guest: g1, matrix: m1, protected: yes}`,
    when: '- irq: {guest: g1, queue: 05.0004, on: yes}',
  },
  {
    event: 'Guest uses a queue',
    given: `${STARTED}\n- boot: g1`,
    when: '- use: {guest: g1, queue: 05.0004}',
  },
  { event: 'Guest reboot', given: RUNNING, when: '- reboot: g1' },
  { event: 'Guest halt, VMM alive', given: RUNNING, when: '- halt: g1' },
  { event: 'VMM ends or is killed', given: RUNNING, when: '- exit: g1' },
  {
    event: 'Guest start again',
    given: `${RUNNING}\n- exit: g1`,
    when: '- start: {guest: g1, matrix: m1}',
  },
  {
    event: 'Second guest with the same matrix',
    given: RUNNING,
    when: '- start: {guest: g2, matrix: m1}',
  },
  {
    event: 'Second matrix for the same guest',
    given: `${FREE}
- create: m1
- assign: {matrix: m1, adapters: 5, domains: 4}
- create: m2
- assign: {matrix: m2, adapters: 6, domains: 0x47}
- start: {guest: g1, matrix: m1}`,
    when: '- open_second: {guest: g1, matrix: m2}',
  },
  {
    event: 'Assign while the guest runs',
    given: RUNNING,
    when: '- assign: {matrix: m1, domains: 0x47}',
  },
  {
    event: 'Unassign while the guest runs',
    given: RUNNING,
    when: '- unassign: {matrix: m1, adapters: 5}',
  },
  {
    event: 'Host wants an adapter back, no guest',
    given: MATRIX,
    when: '- reclaim: {adapters: 5}',
  },
  {
    event: 'Host wants an adapter back from a running guest',
    given: RUNNING,
    when: '- reclaim: {adapters: 5}',
  },
  {
    event: 'Adapter added to the partition, then a scan',
    given: `- free: {adapters: [5, 7]}
- create: m1
- assign: {matrix: m1, adapters: [5, 7], domains: 4}
- start: {guest: g1, matrix: m1, boot: yes}
- add_adapter: {adapter: 7}`,
    when: '- scan: now',
  },
  {
    event: 'Adapter removed from the partition',
    given: RUNNING,
    when: '- remove_adapter: 5',
    note: 'The masks of the guest still have it until the host looks; the hardware has not.',
  },
  { event: 'The scan after that', given: `${RUNNING}\n- remove_adapter: 5`, when: '- scan: now' },
  {
    event: 'The adapter comes back, then a scan',
    given: `${RUNNING}\n- remove_adapter: 5\n- scan: now\n- add_adapter: {adapter: 5}`,
    when: '- scan: now',
  },
  {
    event: 'Adapter into standby, then a scan',
    given: `${RUNNING}\n- standby: 5`,
    when: '- scan: now',
  },
  {
    event: 'Adapter configured again, then a scan',
    given: `${RUNNING}\n- standby: 5\n- scan: now\n- configure: 5`,
    when: '- scan: now',
  },
  {
    event: 'Adapter stops with an error, then a scan',
    given: `${RUNNING}\n- checkstop: 5`,
    when: '- scan: now',
  },
  {
    event: 'Functions of a card change, then a scan',
    given: `${RUNNING}\n- add_adapter: {adapter: 5, ap4kc: no}`,
    when: '- scan: now',
  },
  { event: 'Unbind one queue by hand', given: RUNNING, when: '- unbind: 05.0004' },
  {
    event: 'Bind it back',
    given: `${RUNNING}\n- unbind: 05.0004`,
    when: '- bind: {queue: 05.0004, driver: vfio_ap}',
  },
  {
    event: 'Bind a reserved queue to vfio_ap',
    given: '- unbind: 05.0004',
    when: '- bind: {queue: 05.0004, driver: vfio_ap}',
  },
  { event: 'Remove an idle matrix', given: MATRIX, when: '- remove: m1' },
  { event: 'Remove a matrix in use, VMM lets go', given: RUNNING, when: '- remove: m1' },
  {
    event: 'Remove a matrix in use, VMM does not let go',
    given: `${MATRIX}\n- start: {guest: g1, matrix: m1, stubborn: yes}`,
    when: '- remove: m1',
  },
  { event: 'Unload vfio_ap while a matrix is open', given: RUNNING, when: '- rmmod: vfio_ap' },
  { event: 'Unload vfio_ap otherwise', given: MATRIX, when: '- rmmod: vfio_ap' },
  {
    event: 'Guest storage unmapped under a notification byte',
    given: `${STARTED}\n- irq: {guest: g1, queue: 05.0004, on: yes}`,
    when: '- unmap: {guest: g1, address: 0x5000}',
  },
  { event: 'Live migration', given: RUNNING, when: '- migrate: g1' },
  {
    event: 'Host reset or crash, then IPL',
    given: RUNNING,
    when: '- ipl: {}',
    note: 'Neither masks nor matrices outlive it; tools of user space have to set them up again.',
  },
];
