import { VfioError } from '@vfiokit/uapi';
import * as v from 'valibot';
import { type Document, isMap, isNode, isSeq, LineCounter, parseDocument } from 'yaml';

/** Where in a document: the keys and indexes that lead there. */
export type YamlPath = readonly PropertyKey[];

/** A YAML document whose complaints say where in its file they belong. */
export class LocatedYaml {
  /** The document as plain values. Every scalar is a text: YAML would make a number of 05.0004. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  /**
   * @param name the file, for messages.
   * @throws VfioError `EINVAL` with line and column of what is no YAML.
   */
  constructor(
    source: string,
    private readonly name: string,
  ) {
    this.#document = parseDocument(source, { lineCounter: this.#lines, schema: 'failsafe' });
    const [broken] = this.#document.errors;
    if (broken !== undefined) throw this.#error(broken.pos[0], broken.message.split('\n')[0]!);
    try {
      this.value = this.#document.toJS() ?? {};
    } catch (cause) {
      // An alias without its anchor is found only now.
      throw this.#error(0, (cause as Error).message, cause);
    }
  }

  /** The value that a schema makes of a part of the document. @throws VfioError `EINVAL` with line and column. */
  check<T>(schema: v.GenericSchema<unknown, T>, value: unknown, path: YamlPath): T {
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    const [issue] = result.issues;
    const where = [...path, ...(issue.path?.map(({ key }) => key as PropertyKey) ?? [])];
    const what = where.map(String).join('.') || 'the scenario';
    throw this.#error(this.#offset(where), `${what}: ${issue.message}`);
  }

  /** A complaint about a part of the document. */
  error(path: YamlPath, message: string): VfioError {
    return this.#error(this.#offset(path), message);
  }

  /** A complaint about a key of a part of the document. */
  keyError(path: YamlPath, key: string, message: string): VfioError {
    return this.#error(keyOffset(this.#document.getIn(path, true), key), message);
  }

  /** The line where a part of the document starts. */
  line(path: YamlPath): number {
    return this.#lines.linePos(this.#offset(path)).line;
  }

  #error(offset: number, message: string, cause?: unknown): VfioError {
    const { line, col } = this.#lines.linePos(offset);
    const options = cause === undefined ? undefined : { cause };
    return new VfioError('EINVAL', `${this.name}:${line}:${col}: ${message}`, options);
  }

  /** Where a part starts, or the nearest that there is around it. */
  #offset(path: YamlPath): number {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  }
}

function keyOffset(node: unknown, key: string): number {
  if (!isMap(node)) return isSeq(node) ? (node.range?.[0] ?? 0) : 0;
  for (const pair of node.items) {
    if (isNode(pair.key) && String(pair.key) === key) return pair.key.range?.[0] ?? 0;
  }
  return node.range?.[0] ?? 0;
}
