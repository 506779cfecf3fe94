import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as uapi from '../src/index.js';

test('the example of the README prints what it says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, example, output] = /```ts\n(.*?)```\n\n```\n(.*?)```/s.exec(readme)!;
  const code = example!.replace(/import (\{.*?\}) from '@vfiokit\/uapi';/s, 'const $1 = uapi;');
  const printed: string[] = [];
  const log = (line: string) => printed.push(line);
  new Function('uapi', 'console', code)(uapi, { log });
  expect(`${printed.join('\n')}\n`).toBe(output);
});
