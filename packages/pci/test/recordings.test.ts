import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  PciFunction,
  PciTopology,
  readSysfsResource,
  walkCapabilities,
  walkExtendedCapabilities,
} from '../src/index.js';

/** What a real kernel found when it probed functions without a driver: the second line of a recorded trace. */
const FOLDER = new URL('../../../test/fixtures/traces/', import.meta.url);

interface Recording {
  readonly name: string;
  readonly config: Uint8Array;
  readonly writeMask: Uint8Array;
  readonly resources: readonly string[];
  readonly isVirtfn: boolean;
  readonly intxMaskable: boolean;
  readonly images: Readonly<
    Record<'after_raw_flr' | 'in_raw_d3hot' | 'after_raw_d3_d0', Uint8Array | undefined>
  >;
  /** What PMCSR reads after D1 was written to it. */
  readonly d1Reads: number | undefined;
}

function recordings(): Recording[] {
  return readdirSync(FOLDER)
    .map((name) => ({ name, file: new URL(`${name}/std.jsonl.gz`, FOLDER) }))
    .filter(({ file }) => existsSync(file))
    .flatMap(({ name, file }) => read(name, gunzipSync(readFileSync(file)).toString()) ?? []);
}

function read(name: string, text: string): Recording | undefined {
  const [first = '{}', second = '{}'] = text.split('\n', 2);
  const device = JSON.parse(first).devices?.[0];
  const probe = JSON.parse(second);
  if (probe.op !== 'hwprobe') return undefined;
  const bytes = (hex: string | undefined) => {
    if (hex === undefined) return undefined;
    const padded = new Uint8Array(probe.cfg_size);
    padded.set(Buffer.from(hex, 'hex'));
    return padded;
  };
  return {
    name,
    config: bytes(probe.config)!,
    writeMask: bytes(probe.wmask)!,
    resources: device.resource,
    isVirtfn: device.physfn !== undefined,
    intxMaskable: probe.intx_mask_supported,
    images: {
      after_raw_flr: bytes(probe.after_raw_flr),
      in_raw_d3hot: bytes(probe.in_raw_d3hot),
      after_raw_d3_d0: bytes(probe.after_raw_d3_d0),
    },
    d1Reads: probe.d1_write_reads,
  };
}

const ALL = recordings();
const PMCSR_STATE = 3;

/** Where a D-state could not be changed, its bits are hardwired. */
function functionOf({ config, writeMask, images }: Recording): PciFunction {
  const at = new PciFunction({ config }).findCapability(0x01);
  const hardwired = new Uint8Array(config.length);
  const asleep = images.in_raw_d3hot;
  if (at !== 0 && asleep !== undefined && (asleep[at + 4]! & 3) === (config[at + 4]! & 3))
    hardwired[at + 4] = PMCSR_STATE;
  return new PciFunction({ config, writeMask, hardwired });
}

describe('recorded hardware', () => {
  const withImage = (image: keyof Recording['images']) =>
    ALL.filter(({ images }) => images[image] !== undefined).map(
      (recording) => [recording.name, recording] as const,
    );

  test.each(ALL.map((recording) => [recording.name, recording] as const))(
    '%s: DisINTx is found to work as the kernel found it',
    (_, { config, writeMask, intxMaskable }) => {
      const device = new PciTopology().add('0000:00:03.0', { config, writeMask });
      expect(device.intxMaskable).toBe(intxMaskable);
    },
  );

  test.each(
    ALL.filter(({ isVirtfn }) => !isVirtfn).map(
      (recording) => [recording.name, recording] as const,
    ),
  )(
    '%s: BARs are as large as the host made its resources, and take the address bits that were probed',
    (_, { name, config, writeMask, resources }) => {
      const expected = readSysfsResource(resources.slice(0, 6).join('\n'), name);
      const probed = new PciFunction({ config, writeMask });
      const described = new PciTopology().add('0000:00:03.0', { config }, { resources: expected });
      for (const [index, { length }] of expected.entries()) {
        expect(probed.bars[index]?.size ?? 0).toBe(length);
        const at = 0x10 + 4 * index;
        expect(described.function.config.writeMask.subarray(at + 1, at + 4)).toEqual(
          writeMask.subarray(at + 1, at + 4),
        );
      }
    },
  );

  test.each(withImage('after_raw_flr'))(
    '%s: a function level reset leaves what it left in the recording',
    (_, recording) => {
      const silicon = functionOf(recording);
      silicon.reset('flr');
      expect(silicon.config.bytes).toEqual(recording.images.after_raw_flr);
    },
  );

  test.each(withImage('in_raw_d3hot'))('%s: D3hot shows what it showed', (_, recording) => {
    const silicon = functionOf(recording);
    const at = silicon.findCapability(0x01) + 4;
    silicon.config.write(at, 2, silicon.config.read(at, 2) | 3);
    expect(silicon.config.bytes).toEqual(recording.images.in_raw_d3hot);
  });

  // Functions without No_Soft_Reset forget their registers by the specification; the emulated ones of the recordings don't.
  test.each(
    withImage('after_raw_d3_d0').filter(([, { config }]) => {
      const at = new PciFunction({ config }).findCapability(0x01);
      return (config[at + 4]! & 8) !== 0;
    }),
  )('%s: with No_Soft_Reset the way back from D3hot changes nothing', (_, recording) => {
    const silicon = functionOf(recording);
    const at = silicon.findCapability(0x01) + 4;
    const before = silicon.config.read(at, 2);
    silicon.config.write(at, 2, before | 3);
    silicon.config.write(at, 2, before);
    expect(silicon.config.bytes).toEqual(recording.images.after_raw_d3_d0);
  });

  test.each(withImage('after_raw_d3_d0'))(
    '%s: a recorded image stands for what the function really does on the way back',
    (_, recording) => {
      const { config, writeMask, images } = recording;
      const silicon = new PciFunction({
        config,
        writeMask,
        resets: { soft: images.after_raw_d3_d0! },
      });
      const at = silicon.findCapability(0x01) + 4;
      silicon.config.write(at, 2, silicon.config.read(at, 2) | 3);
      silicon.config.write(at, 2, silicon.config.read(at, 2) & ~3);
      expect(silicon.config.bytes).toEqual(images.after_raw_d3_d0);
    },
  );

  test.each(
    ALL.filter(({ d1Reads }) => d1Reads !== undefined).map(
      (recording) => [recording.name, recording] as const,
    ),
  )('%s: a D-state that it does not have is not entered', (_, recording) => {
    const silicon = functionOf(recording);
    const at = silicon.findCapability(0x01) + 4;
    silicon.config.write(at, 2, (silicon.config.read(at, 2) & ~3) | 1);
    expect(silicon.config.read(at, 2)).toBe(recording.d1Reads);
  });

  test.each(ALL.map((recording) => [recording.name, recording] as const))(
    '%s: capability lists are walked without a problem, and AER is storage where the probe says so',
    (_, { config, writeMask }) => {
      expect(walkCapabilities(config).problems).toEqual([]);
      const extended = walkExtendedCapabilities(config);
      expect(extended.problems).toEqual([]);
      const predicted = new PciFunction({ config }).config.writeMask;
      for (const { at } of extended.capabilities.filter(({ id }) => id === 1))
        expect(predicted.subarray(at, at + 0x1c)).toEqual(writeMask.subarray(at, at + 0x1c));
    },
  );
});
