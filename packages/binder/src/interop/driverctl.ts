import type { Decision } from '../decision/decision.js';

/** Command lines of driverctl, for every device of each plan. They last over reboots; `--nosave` would not. */
export function emitDriverctl(decisions: readonly Decision[]): string {
  const lines = decisions.flatMap(({ targets, request, chosen }) =>
    targets.length > 0
      ? targets.map(
          ({ device, driver, load }) => `driverctl set-override ${device} ${driver ?? load}`,
        )
      : chosen === null
        ? []
        : [`driverctl set-override ${request.device} ${chosen.driver ?? chosen.name}`],
  );
  return [...new Set(lines)].map((line) => `${line}\n`).join('');
}
