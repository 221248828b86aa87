//! A .wasm file before it runs: compiled, checked, and with what it declares.
//!
//! What the links are decided on is all here: the commands that the module registers, the functions that it
//! exports, the version of its linking convention and the range of its static data.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_int};
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;

use sha2::{Digest, Sha256};
use wasmparser::{DataKind, Operator, Parser, Payload, TypeRef};
use wasmtime::{ExternType, FuncType, MemoryType, Module};

use super::name;
use super::namespace::{self, APPLY_EXPORT, ENV_NAMESPACE, HOST_NAMESPACE, TABLES};
use super::triggers::Declared as Triggers;
use crate::describe::description::Description;
use crate::engine::inspect::Inspected;
use crate::engine::source::Source;
use crate::guest::abort::ABORT;
use crate::guest::memory::PAGE;
use crate::server::kit_settings::{self, KitSetting};

/// A module that has been compiled and asked what it declares, but does not run yet.
pub struct WasmFile {
    /// The file's name without directory and `.wasm`: the module's name in logs and INFO.
    pub name: String,
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub hash: String,
    pub module: Module,
    /// Its bytes, until it has been noted that they serve.
    pub bytes: RefCell<Vec<u8>>,
    /// How its data lies in memory, in a word of its own; `None`: in a way that no other file can rely on.
    pub layout: Option<String>,
    /// The version of the linking convention, which its export `abi` tells. A module without one links by
    /// command alone.
    pub abi: Option<u32>,
    /// What its compiler left in it.
    pub inspected: Inspected,
    /// The imported memory `env.memory`, if it has one.
    pub memory: Option<MemoryType>,
    /// The bytes of linear memory that the module's static data may take, when they can be told from the
    /// file.
    pub static_range: Option<(u64, u64)>,
    /// The commands that it registers, in lower case.
    pub commands: Vec<String>,
    /// What it says of them, by their names.
    pub descriptions: BTreeMap<String, Description>,
    /// Namespace → function name → type, of every import that is neither the host's nor the memory.
    pub imports: BTreeMap<String, BTreeMap<String, FuncType>>,
    /// Namespace → the file that ordinarily serves it, for the error message when nothing does.
    pub served_by: BTreeMap<String, String>,
    /// The data types that it registers, with their encodings: the first has the name of its data.
    pub types: Vec<(CString, c_int)>,
    /// The module's numeric settings, by its own handle.
    pub settings: BTreeMap<i32, &'static AtomicI64>,
    /// Those of them that stand in `wasm.settings`, likewise; and what it declared of them.
    pub kit_settings: BTreeMap<i32, &'static AtomicI64>,
    pub declared_settings: Vec<(i32, KitSetting)>,
    /// What it is run for by the host itself.
    pub triggers: Triggers,
}

impl WasmFile {
    /// The file with its compiled module, checked, and not asked yet.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn new(source: Source, module: Module) -> Result<WasmFile, String> {
        let mut file = WasmFile {
            name: source.name,
            path: source.path,
            hash: Sha256::digest(&source.bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            bytes: RefCell::default(),
            layout: name::layout(&source.bytes),
            abi: None,
            inspected: source.inspected,
            memory: None,
            static_range: None,
            commands: Vec::new(),
            descriptions: BTreeMap::new(),
            imports: BTreeMap::new(),
            served_by: BTreeMap::new(),
            types: Vec::new(),
            settings: BTreeMap::new(),
            kit_settings: BTreeMap::new(),
            declared_settings: Vec::new(),
            triggers: Triggers::default(),
            module,
        };
        name::check(&file.name, &source.bytes, file.applies())?;
        file.check_imports()?;
        file.check_exports()?;
        let stack = file.inspected.stack_pointer.map(|(_, first)| first);
        file.static_range = file.memory.as_ref().and_then(|memory| static_range(&source.bytes, memory.minimum(), stack));
        file.bytes = RefCell::new(source.bytes);
        Ok(file)
    }

    /// Whether the host looks after its data and its effects: it exports `apply`.
    pub fn applies(&self) -> bool {
        self.module.get_export(APPLY_EXPORT).is_some()
    }

    /// The name that its data has in files, and in effects that may be kept. And the encoding, where the
    /// first value tells it: where the module registers a type of its own.
    pub fn data_name(&self) -> (&[u8], Option<c_int>) {
        match self.types.first() {
            Some((name, version)) if !self.applies() => (name.to_bytes(), Some(*version)),
            _ => (self.name.as_bytes(), None),
        }
    }

    /// Its settings of `wasm.settings` hold from now on, in the place of those that its module had.
    pub fn adopt_settings(&mut self) {
        self.kit_settings = kit_settings::adopt(&self.name, &self.declared_settings);
    }

    fn check_imports(&mut self) -> Result<(), String> {
        for import in self.module.imports() {
            let (namespace, name) = (import.module(), import.name());
            match (namespace, import.ty()) {
                (ENV_NAMESPACE, ExternType::Memory(memory)) if name == "memory" => {
                    if memory.is_64() || memory.is_shared() {
                        return Err("it imports a 64-bit or shared memory".into());
                    }
                    self.memory = Some(memory);
                }
                (HOST_NAMESPACE, ExternType::Func(_)) if namespace::ALL.iter().any(|function| function.name == name) => {}
                (HOST_NAMESPACE, _) => return Err(format!("it imports {namespace}.{name}, which this version of the host does not have")),
                (ENV_NAMESPACE, ExternType::Func(_)) if name == ABORT => {}
                (ENV_NAMESPACE, _) => return Err(format!("it imports {namespace}.{name}: {IN_ENV}")),
                _ if namespace.starts_with(WASI) => return Err(format!("it imports {namespace}.{name}: {NO_WASI}")),
                (_, ExternType::Func(function)) => {
                    self.imports.entry(namespace.into()).or_default().insert(name.into(), function);
                }
                _ => return Err(format!("it imports {namespace}.{name}, which is no function")),
            }
        }
        Ok(())
    }

    fn check_exports(&self) -> Result<(), String> {
        match self.module.get_export("onLoad") {
            Some(ExternType::Func(function)) if function.params().len() == 0 && is_i32(function.results()) => {}
            _ => return Err("it does not export onLoad(): i32".into()),
        }
        if self.memory.is_none() && !matches!(self.module.get_export("memory"), Some(ExternType::Memory(memory)) if !memory.is_64()) {
            return Err("it neither imports env.memory nor exports memory".into());
        }
        if !TABLES.iter().any(|name| matches!(self.module.get_export(name), Some(ExternType::Table(_)))) {
            return Err("it does not export table, or __indirect_function_table: --exportTable (asc), --export-table (wasm-ld)".into());
        }
        let has = |name: &str| self.module.get_export(name).is_some();
        if self.applies() && !(has("auxSave") && has("auxLoad")) {
            return Err("it exports apply and not both auxSave and auxLoad".into());
        }
        Ok(())
    }

    /// Whether its heap gives the host memory: it runs alone then, and may use every page.
    pub fn gives_memory(&self) -> bool {
        matches!(self.module.get_export(ALLOCATE), Some(ExternType::Func(_)))
    }

    /// Refuses a module whose heap may take the host's pages for its own: it has not said that it does not.
    ///
    /// # Errors
    /// What it may say.
    pub fn check_heap(&self) -> Result<(), String> {
        if !self.inspected.takes_memory || self.gives_memory() {
            return Ok(());
        }
        if self.abi.is_none() {
            return Err(HEAP.into());
        }
        // What has a heap of its own has its own way to end too.
        if self.module.imports().any(|import| import.module() == ENV_NAMESPACE && import.name() == ABORT) {
            return Err(STOCK_HEAP.into());
        }
        Ok(())
    }
}

/// The export by which a module's heap gives the host memory.
pub const ALLOCATE: &str = "allocate";

const HEAP: &str = "its heap may take the host's pages: export allocate, which gives the host memory, or abi, if it uses only what it grew";

const STOCK_HEAP: &str =
    "AssemblyScript's heap takes every page, so abi is not true of it: export allocate, or use another heap and --use abort=";

/// How the namespaces of WASI begin.
const WASI: &str = "wasi";
const NO_WASI: &str = "there is no WASI here; build for wasm32-unknown-unknown (Rust), or with -nostdlib (C)";
const IN_ENV: &str = "env holds memory and abort alone; define it in the module (asc --use), or import it from redis";

fn is_i32(mut results: impl ExactSizeIterator<Item = wasmtime::ValType>) -> bool {
    results.len() == 1 && results.next().is_some_and(|result| result.is_i32())
}

/// Where a module's static data and its stack may lie: from its lowest active segment to the end of the pages
/// that it imports, or from 0 where its stack begins below. `None` when an offset is not a constant, and so
/// cannot be told before the module runs. `stack`: where it begins, if there is one.
fn static_range(bytes: &[u8], pages: u64, stack: Option<Option<u32>>) -> Option<(u64, u64)> {
    let mut lowest = u64::MAX;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::DataSection(section) => {
                for data in section {
                    let DataKind::Active { offset_expr, .. } = data.ok()?.kind else { continue };
                    let mut operators = offset_expr.get_operators_reader();
                    match (operators.read().ok()?, operators.read().ok()?) {
                        (Operator::I32Const { value }, Operator::End) => lowest = lowest.min(u64::from(value as u32)),
                        _ => return None,
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Global(_) = import.ok()?.ty {
                        return None;
                    }
                }
            }
            _ => {}
        }
    }
    let end = pages * PAGE;
    // It grows downwards, and nothing tells how far.
    if let Some(first) = stack
        && u64::from(first?) <= lowest
    {
        lowest = 0;
    }
    Some((lowest.min(end), end))
}
