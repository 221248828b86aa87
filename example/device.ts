/**
 * What browser a person uses, as far as it says so itself. A simple reading for people to recognise their
 * devices by; no decision hangs on it.
 */

export interface Device {
  /** "Firefox on Linux", "Safari on iPhone" */
  title: string;
  kind: 'phone' | 'tablet' | 'computer' | 'unknown';
}

/** The first that matches counts: many browsers name others, older ones, behind their own name. */
const BROWSERS: readonly [RegExp, string][] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:HeadlessChrome|Chrome|CriOS|Chromium)\//, 'Chrome'],
  [/\bVersion\/[\d.]+.* Safari\//, 'Safari'],
  [/^curl\//, 'curl'],
];

const SYSTEMS: readonly [RegExp, string, Device['kind']][] = [
  [/\biPhone\b/, 'iPhone', 'phone'],
  [/\biPad\b/, 'iPad', 'tablet'],
  [/\bAndroid\b.*\bMobile\b/, 'Android', 'phone'],
  [/\bAndroid\b/, 'Android', 'tablet'],
  [/\bWindows NT\b/, 'Windows', 'computer'],
  [/\bMacintosh\b/, 'macOS', 'computer'],
  [/\bCrOS\b/, 'ChromeOS', 'computer'],
  [/\bLinux\b/, 'Linux', 'computer'],
];

/** Characters of a User-Agent that are kept. */
export const USER_AGENT_LENGTH_MAX = 256;
const SHOWN_LENGTH_MAX = 60;

export function deviceOf(userAgent: string | undefined): Device {
  if (userAgent === undefined || userAgent.trim() === '') return { title: 'Unknown device', kind: 'unknown' };
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [, system, kind = 'unknown'] = SYSTEMS.find(([pattern]) => pattern.test(userAgent)) ?? [];
  const title = [browser, system].filter((part) => part !== undefined).join(' on ');
  if (title !== '') return { title, kind };
  return { title: userAgent.length > SHOWN_LENGTH_MAX ? `${userAgent.slice(0, SHOWN_LENGTH_MAX)}…` : userAgent, kind };
}
