import { describe, expect, it } from 'vitest';
import { UndoStack } from '../src/undo-stack.js';

/** A stack of undos that note their names, of which some fail. */
function stacked(...names: string[]) {
  const undone: string[] = [];
  const stack = new UndoStack();
  for (const name of names)
    stack.push(() => {
      undone.push(name);
      if (name.startsWith('failing')) throw new Error(name);
    });
  return { stack, undone };
}

describe('what has to be taken back', () => {
  it('is taken back last first', () => {
    const { stack, undone } = stacked('a', 'b', 'c');
    stack.unwind();
    expect(undone).toEqual(['c', 'b', 'a']);
  });

  it('is taken back once', () => {
    const { stack, undone } = stacked('a');
    stack.unwind();
    stack.unwind();
    stack.push(() => undone.push('b'));
    stack.unwind();
    expect(undone).toEqual(['a', 'b']);
  });

  it('is taken back though something before it fails, which is told then', () => {
    const { stack, undone } = stacked('a', 'failing', 'c');
    expect(() => stack.unwind()).toThrow('failing');
    expect(undone).toEqual(['c', 'failing', 'a']);
    stack.unwind();
    expect(undone).toEqual(['c', 'failing', 'a']);
  });
});
