/** Numbers and texts in authors' code become each other as in JavaScript. */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { FakeServer, placeModule } from '../support/fake-redis.ts';
import { kitOf } from '../support/kit.ts';

const SOURCE = `import { query } from "redis-wasm/kit";
query("NUM.READ", "text", (text: string): string => {
  const found = [parseFloat(text), F64.parseFloat(text), f64.parse(text)];
  return found.map<string>((value) => reinterpret<i64>(value).toString()).join() + "," + \`\${found[0]}\`;
});
query("NUM.SHOW", "bits:integer", (bits: i64): string => {
  const value = reinterpret<f64>(bits);
  return \`\${value},\` + value.toString() + "," + [value, value].join();
});
`;
let server: FakeServer;
beforeAll(async () => {
  placeModule('num', await kitOf('num', SOURCE));
  server = new FakeServer({ kit: 'num' });
}, 120_000);

/** The text of a bulk string. */
const ask = (...command: [string, string]) => server.text(...command).split('\r\n')[1];

const view = new DataView(new ArrayBuffer(8));
function bitsOf(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigInt64(0);
}
function valueOf(bits: bigint): number {
  view.setBigInt64(0, bits);
  return view.getFloat64(0);
}

/** What Node says to the same text. */
function expected(text: string, value = parseFloat(text)): string {
  const bits = String(bitsOf(value));
  return [bits, bits, bits, String(value)].join();
}

test.each([
  ...['0', '-0', '1', '.5', '5.', '-1.5e1', '+7', '1e22', '1e23', '8.5e22', '123456789012345678', '9007199254740993', '9007199254740991.5'],
  ...['9007199254740992.99999999999999999999999999', '2.2250738585072011e-308', '2.2250738585072012e-308', '2.2250738585072014e-308'],
  ...['4.9e-324', '2.4703282292062328e-324', '2.4703282292062327e-324', '5e-324', '1.7976931348623157e308', '1.7976931348623159e308'],
  ...['1.797693134862315708145274237317043567981e+308', '1e309', '-1e309', '1e-400', '0.1', '0.30000000000000004', '6.02214076e23'],
  ...[
    '179769313486231580793e289',
    '7.2057594037927933e16',
    '72057594037927935',
    '0.000000000000000000000000000000000000001234567890123456789e-300',
  ],
  ...[
    `1${'0'.repeat(400)}e-400`,
    `0.${'0'.repeat(400)}1e400`,
    `1.${'1'.repeat(900)}`,
    '1448997445238699',
    '0.500000000000000166533453693773481063544750213623046875',
  ],
])('%s is read as Node reads it', (text) => {
  expect(ask('NUM.READ', text)).toBe(expected(text, Number(text)));
});

test.each([
  '',
  ' ',
  'x',
  '.',
  '-',
  '+.',
  'e5',
  '.e1',
  '1e',
  '1e+',
  '1e5x',
  ' \t1.5 ',
  '1.2.3',
  '0x10',
  '1_0',
  'Infinity',
  '-Infinityx',
  'infinity',
  '--1',
])('of %j what parseFloat reads', (text) => {
  expect(ask('NUM.READ', text)).toBe(expected(text));
});

const EXAMPLES = [0, -0, 5e-324, 2 ** -44, 0.1 + 0.2, 1e21, 650394859603955.25, 650394859603955.75];

test('random numbers are shown as Node shows them, and read back', () => {
  const any = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const whole = fc.maxSafeInteger().map((value) => bitsOf(value));
  const power = fc.integer({ min: -1074, max: 1023 }).map((exponent) => bitsOf(2 ** exponent));
  // Halfway between two texts that are as short.
  const tie = fc.integer({ min: 2 ** 49, max: 2 ** 51 }).map((value) => bitsOf(value + 0.25));
  const sum = fc.tuple(fc.integer(), fc.integer({ min: 1, max: 1000 })).map(([a, b]) => bitsOf(a / b));
  fc.assert(
    fc.property(fc.oneof(any, whole, power, tie, sum), (bits) => {
      const value = valueOf(bits);
      const text = String(value);
      expect(ask('NUM.SHOW', String(bits))).toBe([text, text, text, text].join());
      if (!Number.isNaN(value)) expect(ask('NUM.READ', text)).toBe(expected(text));
    }),
    { numRuns: 3000, examples: EXAMPLES.map((value) => [bitsOf(value)]) },
  );
});
