/** What an editor shows of an author's file, with the package installed: no false error, and true ones. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { check, withFiles } from '../support/author.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TYPES = path.join(ROOT, 'kit/types');

/** The options that the kit's tsconfig.json gives, with the kit where it is here. */
function options(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(path.join(TYPES, 'tsconfig.json'), (file) => readFileSync(file, 'utf8')) as { config: object };
  const parsed = ts.parseJsonConfigFileContent({ ...config, files: [] }, ts.sys, TYPES);
  return { ...parsed.options, paths: { 'redis-wasm/kit': [path.join(TYPES, 'kit.d.ts')] } };
}

/** What an editor would underline, `line message` each. */
function errorsIn(file: string): string[] {
  const program = ts.createProgram({ rootNames: [file], options: options() });
  return ts.getPreEmitDiagnostics(program).map(({ file: source, start, messageText }) => {
    const line = source === undefined || start === undefined ? 0 : source.getLineAndCharacterOfPosition(start).line + 1;
    return `${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

const errorsOf = (text: string): string[] => withFiles({ 'limit.ts': text }, (folder) => errorsIn(path.join(folder, 'limit.ts')));

/** The token bucket, as the contract with authors has it. */
const BUCKET = `import { command, query, Table, now } from "redis-wasm/kit";

class Bucket { constructor(public tokens: f64, public at: i64) {} }
const buckets = new Table<string, Bucket>("buckets");

command("LIMIT.TAKE", "key:key capacity:double refill:double [COST cost:double]", take, "Takes tokens from a bucket");
function take(key: string, capacity: f64, refill: f64, cost: f64 = 1): i64[] {
  if (capacity <= 0 || refill <= 0) throw new Error("capacity and refill must be over 0");
  const bucket = buckets.get(key, new Bucket(capacity, now()));
  let tokens = Math.min(capacity, bucket.tokens + (f64(now() - bucket.at) * refill) / 1000);
  const taken = tokens >= cost;
  if (taken) tokens -= cost;
  buckets.set(key, new Bucket(tokens, now()), now() + i64(Math.ceil(((capacity - tokens) * 1000) / refill)));
  return [taken ? 1 : 0, i64(tokens)];
}
`;

/** Whatever the kit and the language have, used as authors use it. */
const EVERYTHING = `import * as kit from "redis-wasm/kit";
import { caller, command, custom, equal, hmac, info, KEEP, log, publish, query, randomBytes, Reply, session } from "redis-wasm/kit";
import { setting, sha256, SortedTable, Table, uuid, type Bytes, type Entry } from "redis-wasm/kit";

class Score { constructor(public points: i64, public user: string) {} }
enum Kind { Low, High = 5 }
const boards = new SortedTable<Score, string>("boards");
const counts = new Table<string, i64>("counts");
const texts = new Table<Bytes, string>("texts");
const burst = setting("burst", 10, 1, 1000);
const WORDS = ["a", "b"];
info("answer", (): f64 => 42);

query("X.ALL", "key:key [NX|XX] [LIMIT limit:integer] [names ...]", all, { summary: "All", complexity: "O(n)", categories: "@x" });
function all(key: string, nx: bool, xx: bool, limit: i32 = 10, names: string[]): Map<string, i64> {
  const found = new Map<string, i64>();
  for (const name of names) found.set(name, counts.get(name, 0));
  for (const word of found.keys()) log(\`\${word}: \${found.get(word)}\`);
  for (const letter of key) if (letter == "x") found.set(letter, i64(letter.charCodeAt(0)));
  const set = new Set<i64>();
  set.add(burst.value);
  for (const each of set) found.set(each.toString(), each);
  const list: i64[] = [];
  for (let index = 0; index < limit; index++) list.push(i64(index));
  list.sort((a, b) => i32(a > b) - i32(a < b));
  const entry = boards.in(key).first();
  if (entry !== null) found.set(entry.key.user, entry.key.points);
  const entries: Entry<Score, string>[] = boards.range(new Score(0, ""), new Score(9, "~"), 100, true);
  for (const each of entries) found.set(each.value, each.deadline);
  found.set("size", boards.size + boards.in("a").size);
  found.set("total", list.reduce<i64>((sum, value) => sum + value, 0) + min<i64>(list.length, max<i64>(3, 4)));
  const rank = boards.rank(new Score(1, "a"));
  if (nx || xx || rank >= 0) return found;
  switch (WORDS[0]) {
    case "a":
      return new Map();
    default:
      return found;
  }
}

command("X.SET", "key:key value", store);
function store(key: Bytes, value: string): Reply {
  texts.set(key, value, kit.now() + 1000);
  texts.set(key, value.trim().split(",").map<string>((part) => part.toUpperCase()).join("-"), KEEP);
  const old = texts.find(key);
  const digest = sha256(key), same = equal(digest, hmac(key, randomBytes(16)));
  publish("changes", old === null ? uuid() : old);
  boards.in("top").set(new Score(1, caller.user), value);
  boards.in("top").expireAt(kit.now() + 1);
  const shared = custom.get("x"), data = session.getData("id", "field");
  const kind: Kind = same ? Kind.High : Kind.Low;
  const page = texts.scan("0", 10);
  const bytes = new Uint8Array(3);
  bytes[0] = u8(kind) + 1;
  const time = new Date(kit.now()).toISOString();
  return new Reply().array(4).string(shared !== null ? shared : time).bytes(page.keys[0]).integer(caller.db).string(data === null ? "" : data);
}
`;

describe('no false error', () => {
  test('in what the contract shows', () => {
    expect(errorsOf(BUCKET)).toEqual([]);
    expect(check(BUCKET).faults).toEqual([]);
  });

  test('in what uses everything, which builds', () => {
    expect(errorsOf(EVERYTHING)).toEqual([]);
    expect(check(EVERYTHING).faults).toEqual([]);
  });

  const files = ['kit/template', 'kit/examples', 'test/fixtures/kit'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name)),
  );
  test.each(files)('in %s', (file) => {
    expect(errorsIn(path.join(ROOT, file))).toEqual([]);
  });
});

test.each([
  ['counts.get("a");', 'Expected 2 arguments, but got 1.'],
  ['counts.set(1, 1);', "Argument of type 'number' is not assignable to parameter of type 'string'."],
  ['counts.in("a").in("b");', "Property 'in' does not exist on type 'SubTable<string, number>'."],
  ['const x: string | null = null; x.length;', "'x' is possibly 'null'."],
  ['setTimeout(f, 1);', "Cannot find name 'setTimeout'."],
  ['"a".match("b");', "Property 'match' does not exist on type '\"a\"'."],
  ['changetype<usize>("a");', "Cannot find name 'changetype'."],
])('a true one in %s', (line, message) => {
  const found = errorsOf(
    `import { Table } from "redis-wasm/kit";\nconst counts = new Table<string, i64>("counts");\nfunction f(): void { ${line} }`,
  );
  expect(found.join('\n')).toContain(`3 ${message}`);
});

test('what authors hover over is told, with an example for what they begin with', () => {
  const text = readFileSync(path.join(TYPES, 'kit.d.ts'), 'utf8');
  for (const name of ['function command(', 'function query(', 'class Table<', 'class SortedTable<', 'class Reply', 'function setting(']) {
    const before = text.slice(0, text.indexOf(`export ${name}`)).trimEnd();
    expect(before.slice(before.lastIndexOf('/**')), name).toContain('```ts');
  }
  const source = ts.createSourceFile('kit.d.ts', text, ts.ScriptTarget.Latest, true);
  const untold = source.statements.filter(
    (each) => ts.getCombinedModifierFlags(each as unknown as ts.Declaration) & ts.ModifierFlags.Export,
  );
  const without = untold.filter((each) => !ts.isInterfaceDeclaration(each) && ts.getJSDocCommentsAndTags(each).length === 0);
  expect(without.map((each) => each.getText().split('\n')[0])).toEqual([]);
});
