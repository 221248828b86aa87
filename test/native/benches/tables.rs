//! Hash tables of byte strings, one pass of each operation: the storage engine in Wasmtime, as the host runs
//! it, and hashbrown.
//!
//! `cargo bench -p native --bench tables -- <table> <entries>` prints ns per operation as JSON. Tables:
//! `block`, hashbrown over one heap block per entry, as the engine keeps them; `map`, its
//! `HashMap<Box<[u8]>, Box<[u8]>>`; or the path of test/storage/entry.ts, compiled. All have the same keys of
//! 16 bytes and values of 32, the same hash, and go through the numbers in the same order.

#[path = "../../../host/src/engine/setup.rs"]
mod setup;

use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::time::Instant;

use hashbrown::{HashMap, HashTable};
use wasmtime::{Instance, Linker, Memory, MemoryType, Module, Store, TypedFunc};

type Failure = Box<dyn std::error::Error>;

const KEYS: (u64, u64) = (1, 2);
const VALUE: [u8; 32] = [b'v'; 32];
/// Numbers from here on are not in a table.
const ABSENT: u32 = 1 << 30;
const OPERATIONS: [&str; 5] = ["insert", "hit", "miss", "iterate", "delete"];
/// Passes of small tables are repeated until about as many operations were measured.
const OPERATIONS_MIN: u32 = 2_000_000;

/// A table under test: each does one operation for all numbers below `count`, or from `first` on, and tells
/// how often it succeeded.
trait Tested {
    fn insert(&mut self, count: u32, step: u32) -> u32;
    fn find(&mut self, first: u32, count: u32, step: u32) -> u32;
    /// Reads the first byte of each value.
    fn iterate(&mut self) -> u32;
    fn delete(&mut self, count: u32, step: u32) -> u32;
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [table, entries] = arguments.as_slice() else { return Err("usage: tables <block|map|file.wasm> <entries>".into()) };
    let entries: u32 = entries.parse()?;
    let mut tested: Box<dyn Tested> = match table.as_str() {
        "block" => Box::new(Blocks(HashTable::new())),
        "map" => Box::new(Map(HashMap::with_hasher(Keyed))),
        file => Box::new(Wasm::load(file)?),
    };
    let mut times: [Vec<f64>; 5] = Default::default();
    let passes = (OPERATIONS_MIN / entries).max(1);
    for _ in 0..passes {
        for (operation, time) in pass(tested.as_mut(), entries).into_iter().enumerate() {
            times[operation].push(time);
        }
    }
    let shown: Vec<String> = OPERATIONS.iter().zip(&mut times).map(|(name, times)| format!("\"{name}\":{:.2}", median(times))).collect();
    println!("{{{}}}", shown.join(","));
    Ok(())
}

/// ns per operation, in the order of [`OPERATIONS`], from an empty table to an empty one.
fn pass(table: &mut dyn Tested, entries: u32) -> [f64; 5] {
    let step = step(entries);
    let mut times = [0.0; 5];
    for (operation, time) in times.iter_mut().enumerate() {
        let start = Instant::now();
        let done = match operation {
            0 => table.insert(entries, step),
            1 => table.find(0, entries, step),
            2 => table.find(ABSENT, entries, step),
            3 => table.iterate(),
            _ => table.delete(entries, step),
        };
        *time = start.elapsed().as_nanos() as f64 / f64::from(entries);
        assert_eq!(done, if operation == 2 { 0 } else { entries }, "{}", OPERATIONS[operation]);
    }
    times
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A step that reaches every number below `count` once, in an order that jumps about: near its golden
/// section, with no common divisor.
fn step(count: u32) -> u32 {
    let divides = |mut a: u32, mut b: u32| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a != 1
    };
    let mut step = (f64::from(count) * 0.618) as u32 | 1;
    while divides(count, step) {
        step += 2;
    }
    step
}

/// The numbers below `count`, each once, from 0 on.
fn numbers(count: u32, step: u32) -> impl Iterator<Item = u32> {
    let mut at = 0;
    (0..count).map(move |_| {
        let number = at;
        at += step;
        if at >= count {
            at -= count;
        }
        number
    })
}

/// The 16-byte key of a number, as in test/storage/entry.ts.
fn key(number: u32) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d).to_le_bytes());
    key[8..].copy_from_slice(&(u64::from(number) | 0x7365_7373_0000_0000).to_le_bytes());
    key
}

/// A key as a byte string of a length that the compiler does not know, as a server's keys are.
fn text(key: &[u8; 16]) -> &[u8] {
    &key[..black_box(key.len())]
}

/// hashbrown over blocks: the lengths of key and value, then both.
struct Blocks(HashTable<Box<[u8]>>);

fn key_of(block: &[u8]) -> &[u8] {
    &block[2..2 + usize::from(block[0])]
}

impl Tested for Blocks {
    fn insert(&mut self, count: u32, step: u32) -> u32 {
        for number in numbers(count, step) {
            let key = key(number);
            let key = text(&key);
            let mut block = Vec::with_capacity(2 + key.len() + VALUE.len());
            block.extend_from_slice(&[key.len() as u8, VALUE.len() as u8]);
            block.extend_from_slice(key);
            block.extend_from_slice(&VALUE);
            let found = self.0.entry(sip_hash(key), |other| key_of(other) == key, |other| sip_hash(key_of(other)));
            found.insert(block.into_boxed_slice());
        }
        self.0.len() as u32
    }

    fn find(&mut self, first: u32, count: u32, step: u32) -> u32 {
        let found = |number| {
            let key = key(first + number);
            let key = text(&key);
            let block = self.0.find(sip_hash(key), |other| key_of(other) == key);
            block.is_some_and(|block| block[2 + usize::from(block[0])] == b'v')
        };
        numbers(count, step).map(found).map(u32::from).sum()
    }

    fn iterate(&mut self) -> u32 {
        self.0.iter().map(|block| u32::from(block[2 + usize::from(block[0])] == b'v')).sum()
    }

    fn delete(&mut self, count: u32, step: u32) -> u32 {
        let mut deleted = 0;
        for number in numbers(count, step) {
            let key = key(number);
            let key = text(&key);
            if let Ok(entry) = self.0.find_entry(sip_hash(key), |other| key_of(other) == key) {
                drop(entry.remove());
                deleted += 1;
            }
        }
        self.0 = HashTable::new();
        deleted
    }
}

/// hashbrown's map, as a program in Rust would use it.
struct Map(HashMap<Box<[u8]>, Box<[u8]>, Keyed>);

impl Tested for Map {
    fn insert(&mut self, count: u32, step: u32) -> u32 {
        for number in numbers(count, step) {
            self.0.insert(Box::from(text(&key(number))), Box::from(VALUE.as_slice()));
        }
        self.0.len() as u32
    }

    fn find(&mut self, first: u32, count: u32, step: u32) -> u32 {
        let found = |number| self.0.get(text(&key(first + number))).is_some_and(|value| value[0] == b'v');
        numbers(count, step).map(found).map(u32::from).sum()
    }

    fn iterate(&mut self) -> u32 {
        self.0.values().map(|value| u32::from(value[0] == b'v')).sum()
    }

    fn delete(&mut self, count: u32, step: u32) -> u32 {
        let deleted = numbers(count, step).map(|number| u32::from(self.0.remove(text(&key(number))).is_some())).sum();
        self.0 = HashMap::with_hasher(Keyed);
        deleted
    }
}

/// The storage engine: test/storage/entry.ts, in a memory of its own.
struct Wasm {
    store: Store<()>,
    insert: TypedFunc<(u32, u32, u32), u32>,
    find: TypedFunc<(u32, u32, u32, u32), u32>,
    iterate: TypedFunc<u32, u32>,
    delete: TypedFunc<(u32, u32, u32), u32>,
}

/// Where the table's struct lies: in a page that the engine does not own.
const TABLE: u32 = 65536;
/// A place of the benchmark's own in that page.
const SCRATCH: u32 = TABLE + 1024;

impl Wasm {
    fn load(file: &str) -> Result<Wasm, Failure> {
        let engine = setup::new()?;
        let module = Module::new(&engine, std::fs::read(file)?)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let memory = Memory::new(&mut store, MemoryType::new(2, Some(65536)))?;
        let mut linker = Linker::new(&engine);
        linker.define(&store, "env", "memory", memory)?;
        let instance: Instance = linker.instantiate(&mut store, &module)?;
        instance.get_typed_func::<(u32, u64, u64), ()>(&mut store, "tableInit")?.call(&mut store, (TABLE, KEYS.0, KEYS.1))?;
        // The same hash: otherwise the tables are not compared.
        memory.write(&mut store, SCRATCH as usize, &key(7))?;
        let hash = instance.get_typed_func::<(u32, u32, u32), u64>(&mut store, "tableHash")?.call(&mut store, (TABLE, SCRATCH, 16))?;
        assert_eq!(hash, sip_hash(&key(7)));
        Ok(Wasm {
            insert: instance.get_typed_func(&mut store, "passInsert")?,
            find: instance.get_typed_func(&mut store, "passFind")?,
            iterate: instance.get_typed_func(&mut store, "passIterate")?,
            delete: instance.get_typed_func(&mut store, "passDelete")?,
            store,
        })
    }
}

impl Tested for Wasm {
    fn insert(&mut self, count: u32, step: u32) -> u32 {
        self.insert.call(&mut self.store, (TABLE, count, step)).expect("the engine traps")
    }

    fn find(&mut self, first: u32, count: u32, step: u32) -> u32 {
        self.find.call(&mut self.store, (TABLE, first, count, step)).expect("the engine traps")
    }

    fn iterate(&mut self) -> u32 {
        self.iterate.call(&mut self.store, TABLE).expect("the engine traps")
    }

    fn delete(&mut self, count: u32, step: u32) -> u32 {
        self.delete.call(&mut self.store, (TABLE, count, step)).expect("the engine traps")
    }
}

/// Builds hashers of [`sip_hash`].
struct Keyed;

impl BuildHasher for Keyed {
    type Hasher = OneShot;

    fn build_hasher(&self) -> OneShot {
        OneShot(0)
    }
}

/// The hash of the one byte string that is written; its length, which the standard library writes before, is
/// a part of the hash already.
struct OneShot(u64);

impl Hasher for OneShot {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = sip_hash(bytes);
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// SipHash-1-3, as assembly/base/storage/hash.ts.
fn sip_hash(bytes: &[u8]) -> u64 {
    let (k0, k1) = black_box(KEYS);
    let mut state = [k0 ^ 0x736f_6d65_7073_6575, k1 ^ 0x646f_7261_6e64_6f6d, k0 ^ 0x6c79_6765_6e65_7261, k1 ^ 0x7465_6462_7974_6573];
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        absorb(&mut state, u64::from_le_bytes(word.try_into().unwrap_or_default()));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    absorb(&mut state, u64::from_le_bytes(last) | (bytes.len() as u64) << 56);
    state[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut state);
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn absorb(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    state[0] ^= word;
}

#[inline(always)]
fn round([v0, v1, v2, v3]: &mut [u64; 4]) {
    *v0 = v0.wrapping_add(*v1);
    *v1 = v1.rotate_left(13) ^ *v0;
    *v0 = v0.rotate_left(32);
    *v2 = v2.wrapping_add(*v3);
    *v3 = v3.rotate_left(16) ^ *v2;
    *v0 = v0.wrapping_add(*v3);
    *v3 = v3.rotate_left(21) ^ *v0;
    *v2 = v2.wrapping_add(*v1);
    *v1 = v1.rotate_left(17) ^ *v2;
    *v2 = v2.rotate_left(32);
}
