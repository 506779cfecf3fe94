import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as pci from '../src/index.js';

test('the example of the README prints what it says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, example, output] = /```ts\n(.*?)```\n\n```\n(.*?)```/s.exec(readme)!;
  const code = example!.replace(/import (\{.*?\}) from '@vfiokit\/pci';/s, 'const $1 = pci;');
  const printed: string[] = [];
  const log = (line: string) => printed.push(line);
  new Function('pci', 'console', code)(pci, { log });
  expect(`${printed.join('\n')}\n`).toBe(output);
});
