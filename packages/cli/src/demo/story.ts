import type { Io } from '../io.js';
import { bindChapter } from './bind-chapter.js';
import type { Chapter } from './chapter.js';
import { conformanceChapter } from './conformance-chapter.js';
import { guestChapters } from './guest-chapter.js';
import { machineChapter } from './machine-chapter.js';
import { policiesChapter } from './policies-chapter.js';
import { Stage } from './stage.js';
import { variantChapter } from './variant-chapter.js';

/** A virtual machine that was recorded, and a function of it whose group has two. */
const RECORDED = 'vm-q35-sriov-vfio';
const DISPLAY = '0000:00:02.0';
const SOUND = '0000:00:02.1';
/** A described machine, and two VFs of its network card. */
const DESCRIBED = 'x86-server';
const VFS = ['0000:17:00.1', '0000:17:00.2'] as const;

/**
 * The main job from end to end: what is there, which driver each policy would take and why, a group bound as one
 * transaction, opened by a guest, not taken away from it, given back. Everything it tells has just happened.
 */
export async function* story(io: Io): AsyncGenerator<Chapter> {
  const recorded = await Stage.ofCapture(RECORDED);
  const described = await Stage.ofDescription(DESCRIBED);
  const before = await recorded.snapshot();
  yield machineChapter(RECORDED, recorded, io.colors);
  yield policiesChapter(
    { stage: recorded, device: DISPLAY, what: 'display' },
    { stage: described, device: VFS[0], what: 'ConnectX VF' },
    io.colors,
  );
  yield bindChapter(recorded, DISPLAY, io.colors);
  yield* await guestChapters(recorded, [DISPLAY, SOUND], before, io.colors);
  yield variantChapter(described, VFS, io.colors);
  yield conformanceChapter(io);
}

/** Tells the story; whether all of it went as it should. */
export async function tellStory(io: Io): Promise<boolean> {
  const { bold, dim } = io.colors;
  io.print(
    bold(
      'vfiokit: the right VFIO driver for a device, bound as a whole or not at all, and given back',
    ),
  );
  let good = true;
  let number = 0;
  for await (const chapter of story(io)) {
    number += 1;
    good &&= chapter.good;
    io.print();
    io.print(bold(`${number}. ${chapter.title}`));
    for (const line of chapter.lines) io.print(`   ${line}`);
  }
  io.print();
  io.print(
    `${bold('Next')}  vfiokit plan ${dim('DEVICE --compare')}   vfiokit inspect ${dim('DEVICE')}   vfiokit replay ${dim('FILE…')}   vfiokit --help`,
  );
  return good;
}
