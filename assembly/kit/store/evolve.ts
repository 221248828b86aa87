/**
 * Values of a class that another version of the module has written: fields by their names. A field that is
 * new here has its initialiser; one that is not known here is kept with the object, and written back with it.
 */
import { failLine, line } from "../../base/text";
import { take } from "../memory/arena";
import { Field } from "./adopt";
import { addSchema, findSchema, NONE, Part, Schema, skipValue, TEXT_MAX } from "./schemas";
import { Reader, Writer } from "../values/buffer";

/** What a newer version's fields held, with their names and types: `name:type,…`. */
export class Unknown {
  constructor(
    public names: usize,
    public namesLength: u32,
    public values: usize,
    public valuesLength: u32,
  ) {}
}

const storedAt: usize = memory.data(32, 4);
const ownAt: usize = memory.data(32, 4);
const ownType: Part = changetype<Part>(memory.data(offsetof<Part>(), 4));
const type: Part = changetype<Part>(memory.data(offsetof<Part>(), 4));
const names: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
const values: Writer = changetype<Writer>(memory.data(offsetof<Writer>(), 4));

/** The object of class T that was stored by another schema. */
export function readEvolved<T>(from: Reader, stored: Schema, own: Schema): T {
  const made = changetype<T>(__new(offsetof<T>(), idof<T>()));
  made.kitDefaults();
  type.at = stored.value;
  type.length = stored.valueLength;
  const field = changetype<Field>(storedAt);
  const sought = changetype<Field>(ownAt);
  names.begin();
  values.begin();
  for (let more = field.begin(type); more; more = field.next()) {
    ownType.at = own.value;
    ownType.length = own.valueLength;
    if (sought.find(ownType, field.name)) {
      made.kitRead(sought.index, from);
    } else {
      const start = from.at;
      skipValue(field.type.at, field.type.at + <usize>field.type.length, from);
      if (names.length) names.byte(0x2c);
      names.bytes(field.name.at, field.name.length);
      names.byte(0x3a);
      names.bytes(field.type.at, field.type.length);
      values.bytes(start, <u32>(from.at - start));
    }
  }
  if (names.length) made.kitUnknown = new Unknown(names.start, names.length, values.start, values.length);
  return made;
}

/** The number of the schema that has the own fields and, behind them, the unknown ones. */
export function schemaWith(own: Schema, unknown: Unknown): u32 {
  const length = own.length + unknown.namesLength + 1;
  if (length > TEXT_MAX) failFields();
  const text = take(length);
  // The text ends with the brace of the class, which moves behind the unknown fields.
  memory.copy(text, own.text, own.length - 1);
  let at = text + <usize>(own.length - 1);
  if (load<u8>(at - 1) != 0x7b) store<u8>(at++, 0x2c);
  memory.copy(at, unknown.names, unknown.namesLength);
  at += <usize>unknown.namesLength;
  store<u8>(at++, 0x7d);
  const known = findSchema(text, <u32>(at - text));
  if (known != NONE) return known;
  const number = addSchema(text, <u32>(at - text), own.table);
  if (number == NONE) {
    line(changetype<usize>("ERR there are too many versions of a table's class"));
    failLine();
  }
  return number;
}

function failFields(): void {
  line(changetype<usize>("ERR a table's class has too many fields, with those that other versions have left"));
  failLine();
}
