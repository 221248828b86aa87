/** Medians, spread, and the words that go with them. */

export function median(values: number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1] ?? Number.NaN, sorted[middle] ?? Number.NaN];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

/** The median, and the least and the greatest in brackets. */
export function spread(values: number[], digits: number): string {
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
}

/** A ratio measured in several rounds. */
export interface Ratio {
  median: number;
  min: number;
  max: number;
}

/**
 * The ratio of each pair of rounds.
 * The two were measured one after the other, so that a drift of the machine cancels out.
 */
export function ratio(ours: number[], peers: number[]): Ratio {
  const ratios = ours.map((value, round) => value / (peers[round] ?? Number.NaN));
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

/** A spread of rounds beyond which no conclusion is drawn: the machine had other work. */
const NOISY_SPREAD = 1.35;

export function isNoisy({ min, max }: Ratio): boolean {
  return max / min > NOISY_SPREAD;
}

export function show({ median: middle, min, max }: Ratio): string {
  const text = `${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
  return isNoisy({ median: middle, min, max }) ? `${text}, too noisy to conclude` : text;
}
