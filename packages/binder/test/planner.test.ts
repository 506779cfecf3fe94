import {
  compareDecisions,
  decisionChange,
  emit,
  groupOf,
  ModuleIndex,
  readHost,
  readUsage,
  renderComparison,
  renderDecision,
} from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { Machine, shippedMachine } from '@vfiokit/host';
import { describe, expect, test } from 'vitest';
import { A, B, changed, G, H, IX1, IX2, onSysfs, P, planner, R, testbed, V, X } from './testbed.js';

const BEST = { policy: 'alias-best-match', mode: 'strict' } as const;
const EXACT = { policy: 'alias-best-match', mode: 'libvirt-exact' } as const;

describe('policies', () => {
  const plan = async (
    device: string,
    options: Parameters<ReturnType<typeof planner>['plan']>[2],
    index = IX1,
    bed = testbed(),
  ) => planner().plan(device, await bed.input(index), options);

  test('[binding:193] the same input gives the same record, byte for byte, under every policy', async () => {
    const { input } = testbed();
    const one = await input();
    const two = await input();
    for (const { name } of planner().policies)
      expect(JSON.stringify(planner().plan(V, one, { policy: name, mode: 'strict' }))).toBe(
        JSON.stringify(planner().plan(V, two, { policy: name, mode: 'strict' })),
      );
  });

  test('[binding:194] generic takes vfio-pci and tells which variant it passes over', async () => {
    const decision = await plan(V, { policy: 'generic', mode: 'strict' });
    expect(decision).toMatchObject({ outcome: 'bind', chosen: { driver: 'vfio-pci' } });
    expect(decision.rejections).toMatchObject([
      {
        name: 'mlx5_vfio_pci',
        code: 'not-asked-for',
        reason: expect.stringContaining('migration'),
      },
    ]);
    expect(decision.libvirtExact).toMatchObject({ driver: 'mlx5_vfio_pci', differs: true });
  });

  test('id-table takes what its table says, and tells where the index says otherwise', async () => {
    expect(await plan(V, { policy: 'id-table', mode: 'strict' })).toMatchObject({
      chosen: { driver: 'mlx5_vfio_pci' },
    });
    const other = IX1.replace('mlx5_vfio_pci', 'new_vfio_pci');
    const decision = await plan(V, { policy: 'id-table', mode: 'strict' }, other);
    expect(decision.warnings).toEqual([
      expect.stringContaining('the index advertises new_vfio_pci'),
    ]);
  });

  test('arch takes the driver of the architecture, or says that it is missing', async () => {
    const decision = await plan(A, { policy: 'arch', mode: 'strict' });
    expect(decision).toMatchObject({
      chosen: { driver: 'vfio-pci' },
      rule: 'arch: x86_64 has no driver of its own',
    });
    const machine = new Machine(shippedMachine('s390x-lpar'));
    const lpar = planner().plan('0002:00:00.0', await onSysfs(machine.sysfs).input(), {
      policy: 'arch',
      mode: 'strict',
    });
    expect(lpar).toMatchObject({
      chosen: { driver: 'vfio-pci' },
      warnings: [expect.stringContaining('vfio_pci_zdev is missing')],
    });
    const strictly = planner().plan('0002:00:00.0', await onSysfs(machine.sysfs).input(), {
      policy: 'arch',
      mode: 'strict',
      fallBack: false,
    });
    expect(strictly.outcome).toBe('refused');
  });

  test('[binding:155 binding:170] a module’s name becomes a driver’s by the links of the module', async () => {
    const decision = await plan(A, EXACT);
    expect(decision.chosen).toMatchObject({
      name: 'vfio_pci',
      driver: 'vfio-pci',
      module: 'vfio_pci',
    });
  });

  test('[binding:169] a name with dashes is tried with underscores', async () => {
    const decision = await plan(V, {
      policy: 'user-override',
      mode: 'strict',
      driver: 'mlx5-vfio-pci',
    });
    expect(decision.chosen).toMatchObject({ driver: 'mlx5_vfio_pci' });
  });

  test('[binding:157] without an alias the default is taken', async () => {
    expect(await plan(V, EXACT, '#\n')).toMatchObject({
      chosen: { driver: 'vfio-pci' },
      outcome: 'bind',
    });
  });

  test('[binding:168] a best match that is blacklisted fails; the second best is not tried', async () => {
    const bed = testbed({
      vfioDrivers: [],
      description: { vfio: { loaded: ['vfio-pci'], available: ['mlx5_vfio_pci'] } },
    });
    const input = await bed.input();
    const blacklisting = new ModuleIndex({
      identity: input.index!.identity,
      text: IX1,
      aliases: input.index!.aliases.entries,
      config: { ...input.index!.config, blacklist: new Set(['mlx5_vfio_pci']) },
    });
    const decision = planner().plan(V, { ...input, index: blacklisting }, EXACT);
    expect(decision).toMatchObject({
      outcome: 'refused',
      chosen: null,
      rejections: [{ code: 'blacklisted' }],
    });
    expect(decision.refusal).toContain('administratively prohibited');
  });

  test('[binding:171] a module that is loaded and has no PCI driver is an error', async () => {
    const { machine, input } = testbed();
    machine.core.module('qat_vfio_pci').references = 0;
    const host = await input();
    const loaded = {
      ...host,
      host: { ...host.host, loadedModules: new Set([...host.host.loadedModules, 'qat_vfio_pci']) },
    };
    const decision = planner().plan(A, loaded, {
      policy: 'user-override',
      mode: 'strict',
      driver: 'qat_vfio_pci',
    });
    expect(decision.refusal).toContain('is loaded and has no PCI driver');
  });

  test('[binding:195] a tie is refused with both, unless it is said which', async () => {
    const tied = IX1.replace(
      'alias pci:',
      'alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* vfio_pci\nalias pci:',
    );
    const decision = await plan(V, BEST, tied);
    expect(decision).toMatchObject({ outcome: 'refused', tie: ['mlx5_vfio_pci', 'vfio_pci'] });
    const said = await plan(V, { ...BEST, tieBreaker: 'vfio_pci' }, tied);
    expect(said).toMatchObject({ outcome: 'bind', chosen: { driver: 'vfio-pci' } });
    expect(await plan(V, { ...BEST, tieBreaker: 'vfio-pci' }, tied)).toMatchObject({
      chosen: { driver: 'vfio-pci' },
    });
    expect(await plan(V, EXACT, tied)).toMatchObject({
      outcome: 'bind',
      chosen: { driver: 'mlx5_vfio_pci' },
    });
  });

  test('[binding:162] strict and exact part at the star behind a class', async () => {
    const index = `#\nalias vfio_pci:v*d*sv*sd*bc02sc00i00* mlx5_vfio_pci\nalias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n`;
    const decision = await plan(V, BEST, index);
    expect(decision.chosen?.driver).toBe('mlx5_vfio_pci');
    expect(decision.libvirtExact).toMatchObject({ driver: 'vfio-pci', differs: true });
  });

  test('[binding:196] a chain lists who is tried, vfio-pci last', async () => {
    const decision = await plan(A, {
      policy: 'chain',
      mode: 'strict',
      chain: ['mlx5_vfio_pci', 'no-such', 'vfio-pci'],
    });
    expect(decision.candidates.map(({ driver }) => driver)).toEqual(['mlx5_vfio_pci', 'vfio-pci']);
    expect(decision.rejections).toMatchObject([{ name: 'no-such', code: 'unknown-name' }]);
  });

  test('[binding:198 binding:199] a name that is no VFIO driver is refused; one that nobody knows, with the nearest', async () => {
    const native = await plan(B, { policy: 'user-override', mode: 'strict', driver: 'e1000e' });
    expect(native).toMatchObject({
      outcome: 'refused',
      operations: [],
      rejections: [{ code: 'not-vfio' }],
    });
    const unknown = await plan(A, { policy: 'user-override', mode: 'strict', driver: 'vfio-pcie' });
    expect(unknown.refusal).toContain('did you mean vfio-pci');
    expect(await plan(A, { policy: 'user-override', mode: 'strict' })).toMatchObject({
      outcome: 'refused',
    });
  });

  test('[binding:200] a native driver that provides a VFIO device itself is left where it is', async () => {
    const bed = testbed();
    bed.machine.pci.devices.get(A)!.entries.directory('vfio-dev').directory('vfio7');
    const decision = await plan(A, { policy: 'native-provider', mode: 'strict' }, IX1, bed);
    expect(decision).toMatchObject({ outcome: 'already-provided', operations: [] });
    expect(decision.rule).toContain('already provided by e1000e as vfio7');
    // Managed, libvirt would take it from e1000e and put it on what its own match gives.
    expect(emit('libvirt', [decision])).toContain(
      "type='pci' managed='no'>\n  <driver name='vfio'/>",
    );
    expect(await plan(A, { policy: 'native-provider', mode: 'strict' })).toMatchObject({
      outcome: 'refused',
    });
  });

  test('[binding:201] a feature that no driver of the index has is refused, naming what would', async () => {
    const decision = await plan(
      V,
      { policy: 'capability', mode: 'strict', features: ['migration'] },
      IX2,
    );
    expect(decision.outcome).toBe('refused');
    expect(decision.refusal).toContain('CONFIG_MLX5_VFIO_PCI');
    expect(
      await plan(V, { policy: 'capability', mode: 'strict', features: ['migration'] }),
    ).toMatchObject({ chosen: { driver: 'mlx5_vfio_pci' } });
  });

  test('[binding:202] a pinned decision is made anew when the index has changed, and says so', async () => {
    const { input } = testbed();
    const before = await input(IX2);
    const pinned = {
      driver: 'vfio-pci',
      modalias: before.host.devices.get(V)!.modalias.value!,
      release: '7.2.12',
      digest: before.index!.identity.digest,
    };
    expect(planner().plan(V, before, { policy: 'pinned', mode: 'strict', pinned })).toMatchObject({
      chosen: { driver: 'vfio-pci' },
      warnings: [],
    });
    const after = planner().plan(V, await input(IX1), { policy: 'pinned', mode: 'strict', pinned });
    expect(after).toMatchObject({
      chosen: { driver: 'mlx5_vfio_pci' },
      warnings: ['the module index has changed since the decision'],
    });
  });

  test('[binding:203] a foreign override is refused, or overruled by force', async () => {
    const bed = testbed();
    await bed.write(`devices/${B}/driver_override`, 'theirs');
    expect(await plan(B, BEST, IX1, bed)).toMatchObject({
      outcome: 'refused',
      guards: [{ code: 'foreign-override' }],
    });
    const forced = await plan(B, { ...BEST, force: true }, IX1, bed);
    expect(forced).toMatchObject({
      outcome: 'bind',
      operations: [{ step: 'override', undo: { bytes: 'theirs' } }, {}, {}],
    });
    await bed.binder().bind(forced.targets);
    await bed.binder().release();
    expect(await bed.live(B)).toEqual({ driver: null, override: 'theirs' });
  });

  test.each([
    ['0000:00:02.0', 'boot-display'],
    ['0000:04:00.0', 'root-storage'],
    ['0000:00:14.3', 'management-network'],
  ])('[binding:204] %s fires %s', async (device, code) => {
    const machine = new Machine(shippedMachine('x86-laptop'));
    const input = await onSysfs(machine.sysfs).input();
    const decision = planner().plan(device, input, BEST);
    expect(decision).toMatchObject({ outcome: 'refused', operations: [] });
    expect(decision.guards.map((guard) => guard.code)).toContain(code);
    expect(planner().plan(device, input, { ...BEST, force: true }).outcome).toBe('bind');
  });

  test('[binding:204] a device that a process uses, and a PF whose VFs one uses, are guarded', async () => {
    const bed = testbed();
    await bed.binder().bind([await bed.target(V, 'vfio-pci')]);
    const user = bed.machine.open(V);
    const busy = await plan(V, { policy: 'generic', mode: 'strict' }, IX1, bed);
    expect(busy.guards).toMatchObject([
      { code: 'in-use', text: expect.stringContaining('process 4200 (qemu-system-x86)') },
    ]);
    const pf = await plan(P, BEST, IX1, bed);
    expect(pf).toMatchObject({ outcome: 'refused' });
    expect(pf.guards.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['vfs-in-use', 'has-vfs']),
    );
    user[Symbol.dispose]();
  });

  test('[binding:205] planning writes nothing and loads nothing', async () => {
    const { sysfs } = testbed();
    let writes = 0;
    const tree: Sysfs = {
      ...changed(sysfs, {}),
      write: async () => {
        writes += 1;
        return 0;
      },
    };
    const host = await readHost(tree);
    const input = {
      host,
      index: await ModuleIndex.read(tree, host.release!),
      usage: await readUsage(tree, host),
    };
    for (const { name } of planner().policies)
      for (const device of host.devices.keys())
        planner().plan(device, input, { policy: name, mode: 'strict', wholeGroup: true });
    expect(writes).toBe(0);
  });

  test('[binding:206] a plan that is carried out ends as it says', async () => {
    const bed = testbed();
    const decision = await plan(G, { ...BEST, wholeGroup: true }, IX1, bed);
    expect(decision).toMatchObject({
      outcome: 'bind',
      group: { viableNow: false, viableAfter: true },
    });
    await bed.binder().bind(decision.targets);
    for (const { device, driver } of decision.targets)
      expect((await bed.live(device)).driver).toBe(driver);
    const host = await bed.facts();
    expect(groupOf(host, host.devices.get(G)!)?.viable).toBe(true);
  });

  test('a group is taken whole or not at all, and each member gets a driver of its own', async () => {
    const alone = await plan(G, BEST);
    expect(alone.refusal).toContain(
      `group 15 would not be viable: ${H} is bound to "snd_hda_intel"`,
    );
    const whole = await plan(G, { ...BEST, wholeGroup: true });
    expect(whole.targets.map(({ device, driver }) => [device, driver])).toEqual([
      [G, 'vfio-pci'],
      [H, 'vfio-pci'],
    ]);
    expect(whole.operations.map(({ step }) => step)).toEqual([
      'override',
      'override',
      'unbind',
      'bind',
      'bind',
      'verify',
      'verify',
    ]);
  });

  test('a bridge and a device without a group are refused before anything is written', async () => {
    expect((await plan(R, BEST)).refusal).toContain('only endpoints');
    expect((await plan(X, BEST)).refusal).toContain('in no IOMMU group');
  });

  test('in no-IOMMU mode a device without a group is bound, with a warning', async () => {
    const { sysfs } = testbed();
    const mode = '/sys/module/vfio/parameters/enable_unsafe_noiommu_mode';
    const decide = async (value: string) =>
      planner().plan(X, await onSysfs(changed(sysfs, { [mode]: value })).input(), BEST);
    expect(await decide('N\n')).toMatchObject({ outcome: 'refused' });
    const decision = await decide('Y\n');
    expect(decision).toMatchObject({ outcome: 'bind', chosen: { driver: 'vfio-pci' } });
    expect(decision.warnings).toEqual([
      `${X} is in no IOMMU group: its DMA would reach all of memory (no-IOMMU mode is on)`,
    ]);
  });

  test('[binding:207] what could not be observed is in the record', async () => {
    const { unobserved } = await plan(A, BEST);
    expect(unobserved).toEqual(
      expect.arrayContaining([
        expect.stringContaining('dynamic ids'),
        expect.stringContaining('order in which drivers were registered'),
        expect.stringContaining('who owns the IOMMU group'),
      ]),
    );
  });

  test('[binding:172] an index is the running kernel’s, and the record says which', async () => {
    const decision = await plan(A, BEST);
    expect(decision.kernel).toMatchObject({
      release: '7.2.12',
      index: { release: '7.2.12', path: 'modules.alias' },
    });
    expect(decision.warnings).toEqual([]);
    const input = await testbed().input();
    const other = ModuleIndex.fromText(IX1, 'modules.alias', '6.1.0');
    expect(planner().plan(A, { ...input, index: other }, BEST).warnings).toEqual([
      'the module index is that of 6.1.0, and the machine runs 7.2.12',
    ]);
  });

  test('a policy that is none is told with those that there are', async () => {
    await expect(plan(A, { policy: 'genric', mode: 'strict' })).rejects.toThrow(
      'did you mean generic'.slice(13),
    );
  });

  test('a record reads at a glance', async () => {
    const text = renderDecision(await plan(V, BEST));
    expect(text.split('\n')[0]).toBe(`${V} → mlx5_vfio_pci`);
    expect(text).toContain(
      'because  alias-best-match: mlx5_vfio_pci has the narrowest alias, 5 of 7 fields open',
    );
    expect(text).toContain('not      vfio_pci: vfio_pci has 7 wildcards, mlx5_vfio_pci 5');
    expect(renderDecision(await plan(G, BEST)).split('\n')[0]).toBe(`${G}: refused`);
  });

  test('on a narrow terminal what takes a write back stands under it, not in a column of its own', async () => {
    const decision = await plan(A, BEST);
    expect(renderDecision(decision, 100)).toMatch(/unbind {2,}undo: > drivers\/e1000e\/bind$/m);
    expect(renderDecision(decision, 60)).toMatch(/unbind\n {6}undo: > drivers\/e1000e\/bind$/m);
  });

  test('policies lie side by side, and kernels one after the other', async () => {
    const { input } = testbed();
    const now = await input(IX1);
    const decisions = planner().policies.map(({ name }) =>
      planner().plan(V, now, { policy: name, mode: 'strict' }),
    );
    const compared = compareDecisions(decisions);
    expect(compared.map(({ policy, driver }) => [policy, driver])).toEqual(
      expect.arrayContaining([
        ['generic', 'vfio-pci'],
        ['alias-best-match', 'mlx5_vfio_pci'],
        ['user-override', null],
      ]),
    );
    expect(renderComparison(V, compared)).toContain('alias-best-match  mlx5_vfio_pci');
    const before = planner().plan(V, await input(IX2), BEST);
    const after = planner().plan(V, now, BEST);
    expect(decisionChange(before, after)).toBe(
      `${V}: vfio-pci with 7.2.12, mlx5_vfio_pci with 7.2.12`,
    );
    expect(decisionChange(after, after)).toBeUndefined();
  });
});
