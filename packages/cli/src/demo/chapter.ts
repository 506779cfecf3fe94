/** A part of the story: what has just happened, for programs and for people. */
export interface Chapter {
  /** Its key in the document of `--json`. */
  readonly name: string;
  readonly title: string;
  readonly lines: readonly string[];
  /** What the lines tell, as data. */
  readonly facts: unknown;
  /** Whether everything went as it should. */
  readonly good: boolean;
}
