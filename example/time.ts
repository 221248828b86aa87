/** Durations and moments in words. */

const MINUTE_MS = 60_000;
const HOUR_MIN = 60;
const DAY_MIN = 24 * HOUR_MIN;

/** "3 days", "2 h 5 min", "12 hours", "1 minute", "20 seconds", rounded to what is shown. */
export function durationText(duration_ms: number): string {
  const seconds = Math.max(0, Math.round(duration_ms / 1000));
  if (seconds < 60) return counted(seconds, 'second');
  const minutes = Math.round(duration_ms / MINUTE_MS);
  if (minutes < HOUR_MIN) return counted(minutes, 'minute');
  const [hours, rest] = [Math.floor(minutes / HOUR_MIN), minutes % HOUR_MIN];
  if (minutes < DAY_MIN) return rest === 0 ? counted(hours, 'hour') : `${hours} h ${rest} min`;
  return counted(Math.floor(minutes / DAY_MIN), 'day');
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** "just now", "3 minutes ago" */
export function agoText(moment: Date, now: Date): string {
  const passed_ms = now.getTime() - moment.getTime();
  return passed_ms < 10_000 ? 'just now' : `${durationText(passed_ms)} ago`;
}

/** "24 Nov, 21:05" in the time zone of the site. */
export function momentText(moment: Date): string {
  return MOMENT.format(moment);
}

const MOMENT = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
