import { readFileSync } from 'node:fs';
import { describe } from 'vitest';
import * as testing from '../src/index.js';

describe('the example of the README', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = /```ts\n(.*?)```/s.exec(readme)!;
  const code = example!.replace(
    /import (\{.*?\}) from '@vfiokit\/testing';/s,
    'const $1 = testing;',
  );
  new Function('testing', code)(testing);
});
