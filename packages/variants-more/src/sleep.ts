/** Lets time pass, in milliseconds: a model's clock is moved, nobody waits. */
export type Sleep = (milliseconds: number) => void;
